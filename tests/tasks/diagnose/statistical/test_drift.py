import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.statistical.drift import PIECES, area, drift, shapes, told_apart
from tests.tasks.diagnose.long_panels import fold_of, long_panel, ready


def moved_features(data: pd.DataFrame, by: float) -> pd.DataFrame:
    """Ready features, f0 higher by ``by`` sd in the test block."""
    features = ready(data).astype(np.float64)
    late = features.index.get_level_values(0).isin(fold_of(data).test_dates)
    return features.assign(f0=features["f0"] + by * late)


@pytest.mark.parametrize(("by", "symptom"), [(0.0, False), (2.0, True)])
def test_a_shift_is_named_and_no_leak(by, symptom):
    data = long_panel(0)
    fold = fold_of(data)
    found = drift(moved_features(data, by), fold.train_dates, fold.test_dates)
    assert (found.verdict is Verdict.UNKNOWN) == symptom
    assert not found.counts
    assert found.p_value is None
    assert "drift is no leak" in found.detail
    assert (found.value > 0.85) == symptom
    assert "4 features" in found.tested


def test_told_apart_at_both_ends():
    row = np.repeat(np.arange(80), 5)
    late = np.arange(80) >= 40
    draw = np.random.default_rng(0).normal(size=(400, 1))
    for values, expected in (
        (draw + 100 * late[row, None], 1.0),
        (np.where(late[row, None], np.nan, draw), 1.0),  # missing there alone
        (draw, pytest.approx(0.5, abs=0.12)),
    ):
        assert told_apart(shapes(values, np.random.default_rng(1)), row, late) == expected


@pytest.mark.parametrize("kind", ["spread", "together"])
def test_what_moves_no_mean_is_told_apart(kind):
    """Twice the spread, or two features that turn from like to opposite."""
    row = np.repeat(np.arange(80), 20)
    late = np.arange(80) >= 40
    values = np.random.default_rng(0).normal(size=(1600, 2))
    if kind == "spread":
        values *= 1.0 + late[row, None]
    else:
        values[:, 1] = 0.5 * values[:, 1] + np.where(late[row], 1, -1) * values[:, 0]
    assert told_apart(shapes(values, np.random.default_rng(1)), row, late) > 0.7


def test_the_area_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    scores, wanted = draw.integers(0, 9, 200).astype(float), draw.random(200) < 0.3
    assert area(scores, wanted) == pytest.approx(roc_auc_score(wanted, scores))


def test_the_same_answer_again_and_for_a_long_table():
    data = long_panel(1, dates=120, symbols=6)
    fold = fold_of(data, test=40)
    given = (fold.train_dates, fold.test_dates)
    one, again = (drift(ready(data), *given, turns=3) for _ in range(2))
    long = drift(data.drop(columns="close"), *given, turns=3)
    assert one == again == long


def test_few_dates_are_unknown():
    data = long_panel(1, dates=120, symbols=6)
    fold = fold_of(data, test=PIECES - 1)
    found = drift(ready(data), fold.train_dates, fold.test_dates)
    assert found.verdict is Verdict.UNKNOWN
    assert not found.counts
    assert f"{PIECES} dates on either side" in found.evidence
