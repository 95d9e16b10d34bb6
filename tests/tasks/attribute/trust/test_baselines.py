"""The ranking of features against several baselines."""

import pytest

from foldproof.tasks.attribute.baselines.catalogue import BASELINES
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.attribute.trust.baselines import baseline_agreement
from foldproof.tasks.attribute.unit.inputs import unit_inputs


def test_learned_features_rank_alike_against_every_baseline(trained, panel):
    found = baseline_agreement(
        unit_inputs(trained("zscore"), panel), tuple(BASELINES), samples=60, nodes=8
    )
    assert found["baseline"].tolist() == list(BASELINES)
    assert set(found["against"]) == {"train_draw"}
    assert (found["reason"] == "").all()
    assert found["tau"].iloc[0] == 1.0, "with itself"
    assert (found["tau"] > 0.3).all()
    assert (found["unresolved"] == 0).all()


def test_a_degenerate_baseline_is_refused(trained, panel):
    found = baseline_agreement(
        unit_inputs(trained("instance_norm"), panel), ("train_draw", "zero"), 30, 8
    )
    assert found["tau"].isna().tolist() == [False, True]
    assert "divided by its own scale" in found["reason"].iloc[1]


def test_names_of_baselines_are_checked_in_the_spec():
    with pytest.raises(ValueError, match="no choice 'cs_medain'; did you mean cs_median"):
        AttributionSpec(baselines=("train_draw", "cs_medain"))
