"""The tables of a variant's newest unit: origins, baselines, checks."""

from dataclasses import replace

import pandas as pd
import pytest

from foldproof.tasks.attribute import Attribution, task
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.attribute.trust import retraining
from foldproof.tasks.attribute.trust.catalogue import TRUST
from foldproof.tasks.attribute.trust.noise_columns import with_noise_columns
from foldproof.tasks.data import DataSpec
from foldproof.tasks.split import Fold
from foldproof.tasks.train import train_unit

READY = DataSpec(source="file", path="rows.csv", features="ready")
SPEC = AttributionSpec(samples=40, nodes=8, origins=2)


@pytest.fixture(scope="module")
def units(trained, panel):
    """Two folds of one variant."""
    newest = trained("zscore")
    older = Fold(-1, range(70), range(71, 95), range(96, 115), panel.dates)
    return [train_unit(replace(newest.unit, fold=older), panel), newest]


@pytest.fixture
def found(units, panel, monkeypatch):
    monkeypatch.setattr(task, "load", lambda _: panel)

    def of(spec):
        return task.attribute.fn(units, spec, None, READY).value

    return of


def test_only_the_newest_unit_gets_origins_baselines_and_checks(found):
    parts = found(SPEC)
    assert [len(part.importance) for part in parts] == [12, 12]
    older, newest = parts
    for name in ("origins", "supplied", "baselines", "checks"):
        assert getattr(older.newest, name).empty
        assert set(getattr(newest.newest, name)["fold"]) == {0}
    assert len(newest.newest.supplied) == 2
    assert newest.newest.baselines["baseline"].tolist() == ["train_draw", "cs_median"]
    assert set(newest.newest.checks["check"]) >= {
        "completeness",
        "model_randomization",
        "fold_stability",
    }
    assert set(newest.newest.checks["check"]) <= set(TRUST)
    by_name = newest.newest.checks.set_index("check")
    assert by_name.loc["completeness", "passed"]
    joined = Attribution.joined(parts)
    pd.testing.assert_frame_equal(joined.newest.checks, newest.newest.checks)
    assert len(joined.importance) == 24


def test_noise_columns_and_permuted_labels_are_checked_on_request(found):
    (_, usual) = found(SPEC)
    (_, newest) = found(replace(SPEC, canaries=3, permuted_labels=1))
    extra = ["canaries", "label_randomization"]
    assert newest.newest.checks["check"].tolist() == usual.newest.checks["check"].tolist() + extra
    noise, labels = newest.newest.checks.set_index("check").loc[extra].itertuples()
    assert "of 4 features rank above the 3 noise columns" in noise.detail
    assert "1 trainings on permuted labels" in labels.detail
    assert -1 <= labels.value <= 1


def test_a_check_that_cannot_run_gives_the_reason(found, panel, monkeypatch):
    monkeypatch.setattr(
        retraining, "with_noise_columns", lambda *_: with_noise_columns(panel, 0, 0)
    )
    (_, newest) = found(replace(SPEC, canaries=3))
    (row,) = newest.newest.checks[newest.newest.checks["check"] == "canaries"].itertuples()
    assert row.passed is None
    assert "at least 1 with new names" in row.detail


def test_prices_give_the_reason_for_stopping_at_features(found, monkeypatch):
    monkeypatch.setattr(task, "rows_of", lambda *_: pd.DataFrame())
    (_, newest) = found(replace(SPEC, prices=True))
    assert newest.newest.by_return.empty
    assert len(newest.newest.to_prices) == 2
    assert newest.newest.to_prices["stops"].str.contains("the features are ready-made").all()
    same = ["date", "symbol"]
    pd.testing.assert_frame_equal(newest.newest.to_prices[same], newest.newest.supplied[same])
    with pytest.raises(ValueError, match="set origins to 1 or more"):
        replace(SPEC, origins=0, prices=True)


def test_each_table_of_the_newest_unit_is_optional(found):
    (_, newest) = found(replace(SPEC, origins=0, baselines=(), trust=None))
    for name in ("origins", "supplied", "by_return", "to_prices", "baselines", "checks"):
        assert getattr(newest.newest, name).empty
        assert list(getattr(newest.newest, name).columns)
