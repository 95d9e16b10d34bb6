"""The test of a mean: the error written out, its size under dependence, its p-values by hand."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.fft import dct
from scipy.stats import t

from foldproof.tasks.statistics.mean_test import (
    dates_needed,
    frequencies,
    mean_and_error,
    mean_test,
)


def autoregressive(rho: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(D, reps) series of mean 0."""
    series = rng.standard_normal(shape)
    series[0] /= np.sqrt(1 - rho**2)
    for day in range(1, shape[0]):
        series[day] += rho * series[day - 1]
    return series


def overlapping(horizon: int, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(D, reps) moving sums of white noise, as overlapping labels make them."""
    total = np.cumsum(rng.standard_normal((shape[0] + horizon, shape[1])), axis=0)
    return total[horizon:] - total[:-horizon]


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
def test_a_series_too_short_to_test_has_p_nan(dates, horizon):
    found = mean_test(np.ones(dates), horizon)
    assert np.isnan(found.p)
    assert found.freedom == 0


@pytest.mark.parametrize(("n", "horizon"), [(60, 5), (250, 5), (250, 20), (40, 1)])
def test_level_under_the_worst_overlap(n, horizon):
    """Scores that never change: daily values are moving sums. A naive t rejects half of them."""
    daily = overlapping(horizon, (n, 4000), np.random.default_rng(2))
    mean, error = mean_and_error(daily, horizon)
    p = 2 * t.sf(np.abs(mean / error), frequencies(n, horizon))
    for level in (0.01, 0.05):
        assert (p <= level).mean() <= level + 2.5 * np.sqrt(level / 4000)
        assert (p <= level).mean() >= level / 2
    naive = np.abs(mean) / (daily.std(axis=0, ddof=1) / np.sqrt(n))
    assert horizon == 1 or (naive > 2.6).mean() > 0.15


def test_one_cosine_by_hand() -> None:
    """A pure first cosine carries all its variance in the first of six waves."""
    wave = np.sqrt(2 / 64) * np.cos(np.pi * (np.arange(64) + 0.5) / 64)
    found = mean_test(0.25 + 2.0 * wave, horizon=1)
    assert found.freedom == 6
    assert found.mean == pytest.approx(0.25, abs=1e-15)
    assert found.error == pytest.approx(np.sqrt(2.0**2 / 6 / 64), rel=1e-12)
    p = t.sf(0.25 / found.error, 6)
    assert found.above(0.0) == pytest.approx(p, rel=1e-10)
    assert found.below(0.0) == pytest.approx(1 - p, rel=1e-10)
    assert found.above(0.25) == pytest.approx(0.5, abs=1e-12)


def test_without_overlap_the_waves_are_those_of_the_cosine_transform() -> None:
    series = np.random.default_rng(0).standard_normal(90)
    waves = dct(series, type=2, norm="ortho")[1:9]
    assert frequencies(90, 1) == 8
    assert mean_test(series, 1).error == pytest.approx(np.sqrt((waves**2).mean() / 90), rel=1e-12)


def test_on_a_long_series_the_error_is_that_of_a_long_hac() -> None:
    series = autoregressive(0.6, (20_000, 1), np.random.default_rng(2))[:, 0]
    fit = sm.OLS(series, np.ones(len(series))).fit(cov_type="HAC", cov_kwds={"maxlags": 60})
    assert mean_test(series, 1).error == pytest.approx(fit.bse[0], rel=0.1)


@pytest.mark.parametrize("horizon", [1, 2, 3, 5, 20, 60])
def test_four_horizons_and_eleven_dates_are_needed(horizon: int) -> None:
    least = dates_needed(horizon)
    assert least == max(11, 4 * horizon)
    assert frequencies(least, horizon) >= 2
    assert frequencies(least - 1, horizon) == 0


def test_the_interval_holds_the_means_that_the_test_does_not_reject() -> None:
    found = mean_test(np.random.default_rng(3).standard_normal(80) + 0.3, 2)
    low, high = found.interval(0.05)
    assert found.above(low) == pytest.approx(0.05, rel=1e-9)
    assert found.below(high) == pytest.approx(0.05, rel=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
def test_a_constant_series_is_no_evidence_on_either_side(value: float) -> None:
    found = mean_test(np.full(40, value), 1)
    assert (found.above(0.0), found.below(0.0)) == (1.0, 1.0)
    assert found.interval(0.05) == pytest.approx((value, value))


@pytest.mark.parametrize("dates", [40, 63, 126])
@pytest.mark.parametrize(
    ("make", "parameter", "horizon"),
    [
        (autoregressive, 0.0, 1),
        (autoregressive, 0.3, 1),
        (autoregressive, 0.5, 1),
        (autoregressive, 0.5, 5),
        (overlapping, 5, 5),
        (overlapping, 20, 20),
    ],
)
def test_it_rejects_a_true_null_as_often_as_it_says(make, parameter, horizon, dates) -> None:
    """At 5 % and at a share of it among three, 4,000 series each: at most a third too often."""
    assert_size(
        make(parameter, (dates, 4000), np.random.default_rng(dates + horizon)), horizon, 4 / 3
    )


@pytest.mark.parametrize("dates", [40, 63, 126])
def test_persistence_far_beyond_the_overlap_at_most_doubles_the_size(dates: int) -> None:
    """Autocorrelation .8 a day and labels over five: .33 at lag five, where the overlap has 0."""
    assert_size(autoregressive(0.8, (dates, 4000), np.random.default_rng(dates + 5)), 5, 2)


def assert_size(series: np.ndarray, horizon: int, factor: float) -> None:
    """Rejections at 5 % and at a third of it are at most ``factor`` times the level."""
    p = np.array([mean_test(column, horizon).above(0.0) for column in series.T])
    if len(series) < dates_needed(horizon):
        assert np.isnan(p).all()
        return
    for level in (0.05, 0.05 / 3):
        noise = 3 * np.sqrt(level * (1 - level) / len(p))
        assert np.mean(p < level) < factor * level + noise


def test_a_gain_is_found() -> None:
    series = 0.6 + autoregressive(0.3, (126, 300), np.random.default_rng(7))
    p = np.array([mean_test(column, 1).above(0.0) for column in series.T])
    assert np.mean(p < 0.05) > 0.9
