import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.fft import dct

from foldproof.tasks.compare.paired import cosines, degrees_for, paired


def autoregressive(rho: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(D, reps) series of mean 0."""
    series = rng.standard_normal(shape)
    series[0] /= np.sqrt(1 - rho**2)
    for t in range(1, shape[0]):
        series[t] += rho * series[t - 1]
    return series


def overlapping(horizon: int, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(D, reps) moving sums of white noise, as overlapping labels make them."""
    total = np.cumsum(rng.standard_normal((shape[0] + horizon, shape[1])), axis=0)
    return total[horizon:] - total[:-horizon]


def test_one_cosine_by_hand() -> None:
    """A pure first cosine carries all its variance in the first of the waves."""
    count = 64
    wave = cosines(count, 1)[0]
    found = paired(0.25 + 2.0 * wave, horizon=1)
    assert found.degrees == 6
    assert found.gain == pytest.approx(0.25, abs=1e-15)
    assert found.error == pytest.approx(np.sqrt(2.0**2 / 6 / count), rel=1e-12)
    p = stats.t.sf(0.25 / found.error, 6)
    assert found.above(0.0) == pytest.approx(p, rel=1e-10)
    assert found.below(0.0) == pytest.approx(1 - p, rel=1e-10)
    assert found.above(0.25) == pytest.approx(0.5, abs=1e-12)


def test_the_waves_are_those_of_the_cosine_transform() -> None:
    series = np.random.default_rng(0).standard_normal(90)
    waves = dct(series, type=2, norm="ortho")[1:9]
    assert degrees_for(90, 1) == 8
    assert paired(series, 1).error == pytest.approx(np.sqrt((waves**2).mean() / 90), rel=1e-12)


def test_with_every_cosine_it_is_the_t_test() -> None:
    """All D - 1 of them: the sum of squares is that around the mean."""
    series = np.random.default_rng(1).standard_normal(50) + 0.2
    waves = cosines(50, 49) @ series
    error = np.sqrt((waves**2).mean() / 50)
    t, p = stats.ttest_1samp(series, 0.0, alternative="greater")
    assert series.mean() / error == pytest.approx(t, rel=1e-10)
    assert stats.t.sf(series.mean() / error, 49) == pytest.approx(p, rel=1e-10)


def test_on_a_long_series_the_error_is_that_of_a_long_hac() -> None:
    series = autoregressive(0.6, (20_000, 1), np.random.default_rng(2))[:, 0]
    fit = sm.OLS(series, np.ones(len(series))).fit(cov_type="HAC", cov_kwds={"maxlags": 60})
    assert paired(series, 1).error == pytest.approx(fit.bse[0], rel=0.1)


def test_degrees_leave_room_for_the_overlap() -> None:
    assert [degrees_for(126, h) for h in (1, 5, 20)] == [10, 6, 1]
    assert degrees_for(10, 60) == 1


def test_the_interval_holds_where_the_test_does_not_reject() -> None:
    found = paired(np.random.default_rng(3).standard_normal(80) + 0.3, 2)
    low, high = found.interval(0.05)
    assert found.above(low) == pytest.approx(0.05, rel=1e-9)
    assert found.below(high) == pytest.approx(0.05, rel=1e-9)


def test_what_does_not_vary_proves_nothing() -> None:
    equal = paired(np.zeros(40), 1)
    assert (equal.gain, equal.error, equal.above(0.0), equal.below(0.0)) == (0.0, 0.0, 1.0, 1.0)
    assert paired(np.full(40, 0.1), 1).above(0.0) == 1.0


@pytest.mark.parametrize("series", [np.zeros(9), np.append(np.zeros(20), np.nan)])
def test_too_little_is_told_with_its_numbers(series: np.ndarray) -> None:
    with pytest.raises(ValueError, match=f"there are {len(series)}"):
        paired(series, 1)


@pytest.mark.parametrize("dates", [40, 63, 126])
@pytest.mark.parametrize(
    ("make", "parameter", "horizon"),
    [
        (autoregressive, 0.0, 1),
        (autoregressive, 0.3, 1),
        (autoregressive, 0.5, 1),
        (autoregressive, 0.8, 5),
        (overlapping, 5, 5),
        (overlapping, 20, 20),
    ],
)
def test_it_rejects_a_true_null_as_often_as_it_says(make, parameter, horizon, dates) -> None:
    """At 5 % and at a share of it among three, 4,000 series each: at most a third too often."""
    series = make(parameter, (dates, 4000), np.random.default_rng(dates + horizon))
    p = np.array([paired(column, horizon).above(0.0) for column in series.T])
    for level in (0.05, 0.05 / 3):
        noise = 3 * np.sqrt(level * (1 - level) / len(p))
        assert np.mean(p < level) < 4 / 3 * level + noise


def test_a_gain_is_found() -> None:
    series = 0.6 + autoregressive(0.3, (126, 300), np.random.default_rng(7))
    p = np.array([paired(column, 1).above(0.0) for column in series.T])
    assert np.mean(p < 0.05) > 0.9
