import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr, t

from foldproof.tasks.statistics.mean_test import frequencies, mean_and_error, mean_test
from foldproof.tasks.statistics.rank_ic import daily_rank_ic


def long(rows: list[tuple[int, str, float]]) -> pd.Series:
    frame = pd.DataFrame(rows, columns=["date", "symbol", "value"])
    return frame.set_index(["date", "symbol"])["value"]


def test_by_hand():
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


def test_the_error_written_out():
    daily = np.random.default_rng(1).normal(0.1, 1, 90)
    found = mean_test(daily, horizon=4)
    assert found.freedom == frequencies(90, 4) == int(0.41 * 90 ** (2 / 3))
    powers = []
    for j in range(1, found.freedom + 1):
        w = np.pi * j / 90
        wave = sum(x * np.cos(w * (i + 0.5)) for i, x in enumerate(daily))
        damped = abs(sum(np.exp(1j * w * k) for k in range(4))) / 4
        powers.append(2 / 90 * wave**2 / damped**2)
    error = np.sqrt(np.mean(powers) / 90)
    assert found.mean == pytest.approx(daily.mean(), rel=1e-12)
    assert found.error == pytest.approx(error, rel=1e-10)
    assert found.p == pytest.approx(2 * t.sf(abs(daily.mean() / error), found.freedom), rel=1e-10)
    one_sided = mean_test(daily, 4, two_sided=False)
    assert one_sided.p == pytest.approx(t.sf(daily.mean() / error, found.freedom), rel=1e-10)
    at = found.critical(0.05)
    assert 2 * t.sf(at / found.error, found.freedom) == pytest.approx(0.05)


def test_series_that_never_vary_are_certain_unless_zero():
    assert mean_test(np.zeros(60), 1).p == 1
    assert mean_test(np.ones(60), 1).p < 1e-50


@pytest.mark.parametrize(("dates", "horizon"), [(0, 1), (3, 1), (60, 20)])
def test_too_short_to_tell(dates, horizon):
    found = mean_test(np.ones(dates), horizon)
    assert np.isnan(found.p)
    assert found.freedom == 0


def overlapping(draw: np.random.Generator, n: int, horizon: int, columns: int) -> np.ndarray:
    """(n, columns) products of constant scores with returns over overlapping horizons."""
    path = np.cumsum(draw.standard_normal((n + horizon + 1, columns)), axis=0)
    return (path[horizon:] - path[:-horizon])[:n]


@pytest.mark.parametrize(("n", "horizon"), [(60, 5), (250, 5), (250, 20), (40, 1)])
def test_level_under_the_worst_overlap(n, horizon):
    """Scores that never change: daily values are moving sums. A naive t rejects half of them."""
    daily = overlapping(np.random.default_rng(2), n, horizon, 4000)
    mean, error = mean_and_error(daily, horizon)
    p = 2 * t.sf(np.abs(mean / error), frequencies(n, horizon))
    for level in (0.01, 0.05):
        assert (p <= level).mean() <= level + 2.5 * np.sqrt(level / 4000)
        assert (p <= level).mean() >= level / 2
    naive = np.abs(mean) / (daily.std(axis=0, ddof=1) / np.sqrt(n))
    assert horizon == 1 or (naive > 2.6).mean() > 0.15
