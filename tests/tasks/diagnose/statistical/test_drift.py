import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.statistical.drift import PIECES, auc, block_auc, drift, regressors
from tests.tasks.diagnose.long_panels import fold_of, long_panel, ready


def moved_features(data: pd.DataFrame, by: float) -> pd.DataFrame:
    """Ready features, f0 higher by ``by`` sd in the test block."""
    features = ready(data).astype(np.float64)
    late = features.index.get_level_values(0).isin(fold_of(data).test_dates)
    return features.assign(f0=features["f0"] + by * late)


@pytest.mark.parametrize(("by", "symptom"), [(0.0, False), (2.0, True)])
def test_a_shift_is_a_symptom_and_not_a_leak(by, symptom):
    data = long_panel(0)
    fold = fold_of(data)
    found = drift(moved_features(data, by), fold.train_dates, fold.test_dates)
    assert (found.verdict is Verdict.UNKNOWN) == symptom
    assert not found.counts
    assert found.p_value is None
    assert "drift is not a leak" in found.detail
    assert (found.value > 0.85) == symptom
    assert "4 features" in found.tested


def test_the_auc_of_separate_and_of_equal_blocks():
    row = np.repeat(np.arange(80), 5)
    late = np.arange(80) >= 40
    draw = np.random.default_rng(0).normal(size=(400, 1))
    for values, expected in (
        (draw + 100 * late[row, None], 1.0),
        (np.where(late[row, None], np.nan, draw), 1.0),  # missing there alone
        (draw, pytest.approx(0.5, abs=0.12)),
    ):
        assert block_auc(regressors(values, np.random.default_rng(1)), row, late) == expected


@pytest.mark.parametrize("kind", ["spread", "together"])
def test_a_shift_without_a_change_of_mean_is_found(kind):
    """Twice the spread, or two features whose correlation flips its sign."""
    row = np.repeat(np.arange(80), 20)
    late = np.arange(80) >= 40
    values = np.random.default_rng(0).normal(size=(1600, 2))
    if kind == "spread":
        values *= 1.0 + late[row, None]
    else:
        values[:, 1] = 0.5 * values[:, 1] + np.where(late[row], 1, -1) * values[:, 0]
    assert block_auc(regressors(values, np.random.default_rng(1)), row, late) > 0.7


def test_the_auc_agrees_with_scikit_learn():
    draw = np.random.default_rng(0)
    scores, wanted = draw.integers(0, 9, 200).astype(float), draw.random(200) < 0.3
    assert auc(scores, wanted) == pytest.approx(roc_auc_score(wanted, scores))


def test_repeated_runs_give_the_same_finding():
    data = long_panel(1, dates=120, symbols=6)
    fold = fold_of(data, test=40)
    given = (fold.train_dates, fold.test_dates)
    one, again = (drift(ready(data), *given, turns=3) for _ in range(2))
    assert one == again


def test_few_dates_are_unknown():
    data = long_panel(1, dates=120, symbols=6)
    fold = fold_of(data, test=PIECES - 1)
    found = drift(ready(data), fold.train_dates, fold.test_dates)
    assert found.verdict is Verdict.UNKNOWN
    assert not found.counts
    assert f"{PIECES} dates on either side" in found.evidence
