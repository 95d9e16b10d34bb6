from typing import NamedTuple

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from foldproof.tasks.compare.intervals import simultaneous_intervals
from foldproof.tasks.compare.resampling import block_length
from foldproof.tasks.statistics.mean_test import frequencies, hac_error, hac_t, mean_and_error
from tests.tasks.compare.series import overlapping


@pytest.mark.parametrize("lags", [0, 1, 4, 30])
def test_hac_agrees_with_statsmodels_and_with_the_kernel_written_out(lags: int) -> None:
    daily = overlapping(80, 3, 3, np.random.default_rng(0)) + 0.3
    for column, error in zip(daily.T, hac_error(daily, lags), strict=True):
        fit = sm.OLS(column, np.ones(80)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
        assert error == pytest.approx(fit.bse[0], rel=1e-12)
        apart = column - column.mean()
        total = sum(
            (1 - abs(i - j) / (lags + 1)) * apart[i] * apart[j]
            for i in range(80)
            for j in range(80)
            if abs(i - j) <= lags
        )
        assert error == pytest.approx(np.sqrt(total) / 80, rel=1e-10)


def test_hac_t_takes_twice_the_horizon_and_leaves_constants_out() -> None:
    daily = overlapping(60, 2, 5, np.random.default_rng(1))
    daily[:, 1] = 0.125
    t = hac_t(daily, horizon=5)
    fit = sm.OLS(daily[:, 0], np.ones(60)).fit(cov_type="HAC", cov_kwds={"maxlags": 10})
    assert t[0] == pytest.approx(fit.tvalues[0], rel=1e-12)
    assert np.isnan(t[1])


def test_blocks_span_twice_the_horizon_at_least_and_more_under_dependence() -> None:
    rng = np.random.default_rng(2)
    white = rng.standard_normal((400, 2))
    slow = np.cumsum(rng.standard_normal((400, 1)), axis=0)
    assert block_length(white, horizon=20) == 40
    assert block_length(white, horizon=1) < 15
    assert block_length(np.hstack([white, slow]), horizon=1) > 30
    assert block_length(white[:20], horizon=20) == 5  # four blocks must fit in
    assert block_length(np.zeros((40, 2)), horizon=2) == 4


class Intervals(NamedTuple):
    low: np.ndarray
    high: np.ndarray


def intervals(daily: np.ndarray, horizon: int = 1, **settings) -> Intervals:
    families = settings.pop("families", (np.arange(daily.shape[1]),))
    given = {"level": 0.95, "draws": 200, "seed": 0} | settings
    return Intervals(*simultaneous_intervals(daily, families, horizon, **given))


def test_intervals_lie_about_the_mean_and_repeat_with_the_seed() -> None:
    daily = overlapping(200, 4, 3, np.random.default_rng(3))
    first, again, other = intervals(daily, 3), intervals(daily, 3), intervals(daily, 3, seed=1)
    np.testing.assert_array_equal(first, again)
    assert (first.low != other.low).all()
    np.testing.assert_allclose((first.low + first.high) / 2, daily.mean(axis=0), atol=1e-12)
    wider = intervals(daily, 3, level=0.99)
    assert (wider.high > first.high).all()


def test_one_multiple_of_the_error_for_a_family_and_a_larger_one_for_more_columns() -> None:
    daily = overlapping(200, 6, 3, np.random.default_rng(4))
    _, error = mean_and_error(daily, 3)
    whole, two = (
        intervals(daily, 3, families=(np.arange(n), np.arange(n, 6)), seed=5) for n in (6, 2)
    )
    critical = (whole.high - daily.mean(axis=0)) / error
    np.testing.assert_allclose(critical, critical[0], rtol=1e-10)
    small = (two.high - daily.mean(axis=0)) / error
    assert small[0] == pytest.approx(small[1])
    assert small[0] < small[2] < critical[0]


@pytest.mark.slow
def test_on_white_noise_the_critical_value_is_that_of_the_largest_of_five_t() -> None:
    daily = np.random.default_rng(6).standard_normal((3000, 5))
    interval = intervals(daily, draws=2000)
    critical = (interval.high - daily.mean(axis=0)) / mean_and_error(daily, 1)[1]
    expected = stats.t.ppf((1 + 0.95**0.2) / 2, frequencies(3000, 1))
    assert critical[0] == pytest.approx(expected, abs=0.12)


def test_a_constant_column_has_the_interval_of_its_value() -> None:
    daily = overlapping(100, 3, 2, np.random.default_rng(7))
    daily[:, 1] = 0.0
    interval = intervals(daily, 2)
    assert interval.low[1] == interval.high[1] == 0
    without = intervals(daily[:, [0, 2]], 2)
    np.testing.assert_allclose(interval.high[[0, 2]], without.high)


def test_family_wise_level_on_pure_noise_with_overlap() -> None:
    """All means are 0: some interval misses it in about 5 % of panels; naive t-tests in most."""
    rng, panels, columns = np.random.default_rng(8), 150, 6
    missed, naive = 0, 0
    for number in range(panels):
        daily = overlapping(300, columns, 5, rng)
        interval = intervals(daily, 5, draws=120, seed=number)
        missed += bool(((interval.low > 0) | (interval.high < 0)).any())
        t = daily.mean(axis=0) / (daily.std(axis=0, ddof=1) / np.sqrt(300))
        naive += bool((np.abs(t) > 1.96).any())
    assert missed / panels <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / panels)
    assert naive / panels > 0.5


def test_a_planted_mean_is_found() -> None:
    daily = overlapping(600, 5, 2, np.random.default_rng(9)) / 20
    daily[:, 3] += 0.05
    interval = intervals(daily, 2)
    assert (interval.low > 0).tolist() == [False, False, False, True, False]


def test_too_few_dates_are_named() -> None:
    with pytest.raises(
        ValueError, match="9 dates were scored; intervals with a horizon of 1 need at least 11"
    ):
        intervals(np.random.default_rng(0).standard_normal((9, 2)))
