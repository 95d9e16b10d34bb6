import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from foldproof.tasks.statistics.rank_ic import daily_rank_ic, rank_ics


def long(rows: list[tuple[int, str, float]]) -> pd.Series:
    frame = pd.DataFrame(rows, columns=["date", "symbol", "value"])
    return frame.set_index(["date", "symbol"])["value"]


def test_three_symbols_by_hand():
    scores = long([(2, "A", 1), (2, "B", 2), (2, "C", 3), (1, "A", 5), (1, "B", 5), (1, "C", 5)])
    target = long([(2, "A", 3), (2, "B", 9), (2, "C", 4), (1, "A", 1), (1, "B", 2), (1, "C", 3)])
    daily = daily_rank_ic(scores, target)
    assert daily.index.tolist() == [1, 2]
    np.testing.assert_allclose(daily, [0.0, 0.5], atol=1e-15)


def test_dates_without_three_pairs_are_left_out():
    scores = long([(1, "A", 1), (1, "B", 2), (1, "C", np.nan), (2, "A", 1), (2, "B", 2)])
    target = long([(1, "A", 1), (1, "B", 2), (1, "C", 3), (2, "A", 1), (2, "B", 2), (2, "C", 3)])
    assert daily_rank_ic(scores, target).empty
    assert daily_rank_ic(scores, long([(7, "A", 1.0)])).empty


def test_agrees_with_scipy_under_ties_and_gaps():
    draw = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([range(20), list("ABCDEFGH")])
    scores = pd.Series(draw.integers(0, 4, len(index)).astype(float), index)
    target = pd.Series(draw.normal(size=len(index)), index)
    scores[draw.random(len(index)) < 0.2] = np.nan
    daily = daily_rank_ic(scores.sample(frac=1, random_state=0), target)
    for date, value in daily.items():
        known = scores[date].notna()
        expected = spearmanr(scores[date][known], target[date][known]).statistic
        assert value == pytest.approx(expected, abs=1e-12)
    assert len(daily) == 20


def test_rank_ics_of_flat_samples_agree_with_scipy() -> None:
    generator = np.random.default_rng(0)
    dates = generator.integers(0, 5, 60)
    forecasts, target = generator.standard_normal((3, 60)).round(1), generator.standard_normal(60)
    target[::7] = np.nan
    found = rank_ics(forecasts, target, dates)
    assert found.shape == (3, 5)
    for n, date in np.ndindex(3, 5):
        there = (dates == date) & np.isfinite(target)
        expected = spearmanr(forecasts[n, there], target[there]).statistic
        assert found[n, date] == pytest.approx(expected, abs=1e-12)


def test_a_date_of_two_is_nan_and_a_constant_forecast_is_zero() -> None:
    dates = np.array([0, 0, 1, 1, 1])
    found = rank_ics(np.array([[1.0, 2, 3, 3, 3]]), np.arange(5.0), dates)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 0
