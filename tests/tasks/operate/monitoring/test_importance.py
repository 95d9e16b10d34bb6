import math

import pandas as pd
import pytest

from foldproof.tasks.attribute import attribute_unit, unit_inputs
from foldproof.tasks.operate.monitoring.importance import (
    agreement,
    importance_of_rows,
    importance_when_tested,
)
from foldproof.tasks.operate.nightly_inputs import night_of
from foldproof.tasks.operate.retraining.evidence import Champion
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.record import served_of
from tests.champion import DATA, features, nights, panel, trained


@pytest.mark.parametrize("variant", ["zscore", "batch_norm_date"])
def test_importance_equals_the_attribution_of_the_trained_unit(
    variant: str, raw: pd.DataFrame
) -> None:
    """Of all windows of the test block: both draw other baselines, so within two hundredths.

    One network reads its own window, the other the companions of the date as well.
    """
    one = trained(variant)
    served, fold = served_of(one, features(raw), DATA), one.unit.fold
    inputs = served.inputs(raw)
    found = importance_when_tested(served, inputs, fold, samples=600)
    table = attribute_unit(
        unit_inputs(one, panel()), 600, 8, 1, ("integrated_gradients",)
    ).importance
    known = table.set_index("feature")["importance"]
    known = known / known.sum()
    assert sum(found.values()) == pytest.approx(1)
    assert max(abs(found[name] - known[name]) for name in known.index) < 0.02
    assert list(known.sort_values(ascending=False).index[:2]) == ["f0", "f1"]  # as planted
    assert sorted(found, key=found.__getitem__)[-2:] == ["f1", "f0"]


def test_attribution_does_not_change_the_served_network(
    champion: Champion, one: TrainedUnit, raw: pd.DataFrame
) -> None:
    night = night_of("stocks", champion, raw, nights(one, 40)[0])
    before = night.served.table(night.rows)
    training = night.rows.between(*night.background.trained_on)
    importance_of_rows(night.served, night.rows, range(350, 380), training, 20)
    pd.testing.assert_frame_equal(night.served.table(night.rows), before, check_exact=True)
    assert all(weight.requires_grad for weight in night.served.network.parameters())


def test_without_complete_windows_importance_is_empty(
    champion: Champion, one: TrainedUnit, raw: pd.DataFrame
):
    night = night_of("stocks", champion, raw, nights(one, 40)[0])
    assert importance_of_rows(night.served, night.rows, range(2), range(100, 200), 20) == {}
    assert importance_of_rows(night.served, night.rows, range(100, 200), range(0), 20) == {}


def test_agreement_in_closed_form() -> None:
    """Of three pairs one is turned: tau is a third. What one of both lacks does not count."""
    one = {"a": 0.5, "b": 0.3, "c": 0.2}
    assert agreement(one, {"a": 0.3, "b": 0.5, "c": 0.2}) == pytest.approx(1 / 3)
    assert agreement(one, {"a": 5.0, "c": 1.0, "new": 9.0}) == 1
    assert agreement(one, {"a": 0.1, "b": 0.2, "c": 0.7}) == -1
    assert math.isnan(agreement(one, {"a": 1.0}))
