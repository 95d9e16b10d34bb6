"""Bootstrap samples of seeds and dates, and errors of means over both.

arch is imported inside the functions: the import takes a second, and reading a configuration does
not need it.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from foldproof.tasks.statistics.mean_test import (
    MeanTest,
    dates_needed,
    mean_and_error,
    mean_test,
    ratio,
    upper_tail,
)

LEAST_BLOCKS = 4
"""At least this many blocks must fit into the series."""


class Sample(NamedTuple):
    """Daily values of V columns from N seeds.

    Attributes:
        daily: (D, V) mean over seeds, in time order.
        by_seed: (N, V) mean over dates of each seed.
    """

    daily: np.ndarray
    by_seed: np.ndarray


def block_length(daily: np.ndarray, horizon: int) -> int:
    """Mean block of the stationary bootstrap of ``daily`` (D, V).

    The larger of twice the horizon and the longest optimal length of a column (Politis & White
    2004), but at most a quarter of the series.
    """
    from arch.bootstrap import optimal_block_length

    varies = daily.max(axis=0) > daily.min(axis=0)
    optimal = optimal_block_length(daily[:, varies])["stationary"] if varies.any() else [1.0]
    wanted = max(2 * horizon, int(np.ceil(np.max(optimal))))
    return max(1, min(wanted, len(daily) // LEAST_BLOCKS))


def check_dates(dates: int, horizon: int) -> None:
    """Raise ValueError if a mean over ``dates`` has no standard error (fewer than 4 horizons)."""
    needed = dates_needed(horizon)
    if dates < needed:
        raise ValueError(
            f"{dates} dates were scored; intervals with a horizon of {horizon} need at least "
            f"{needed}: lengthen the test blocks"
        )


def drawn_dates(daily: np.ndarray, horizon: int, *, draws: int, seed: int) -> Iterator[np.ndarray]:
    """(D,) row numbers of each draw of the stationary bootstrap (Politis & Romano 1994).

    A draw takes whole dates of ``daily`` (D, V), which keeps the dependence between columns.
    """
    from arch.bootstrap import StationaryBootstrap

    block = block_length(daily, horizon)
    bootstrap = StationaryBootstrap(block, np.arange(len(daily)), seed=seed)
    for (dates,), _ in bootstrap.bootstrap(draws):
        yield np.asarray(dates)


def sample_of(daily: np.ndarray) -> Sample:
    """The sample itself: (D, V) of one seed, or (N, D, V) of N seeds."""
    given = daily if daily.ndim == 3 else daily[None]
    return Sample(given.mean(axis=0), given.mean(axis=1))


def resampled(daily: np.ndarray, horizon: int, *, draws: int, seed: int) -> Iterator[Sample]:
    """Samples drawn from ``daily``: blocks of dates, and seeds with replacement.

    Seeds and dates are drawn independently of each other, and every column gets the same ones (the
    pigeonhole bootstrap: Owen 2007, Annals of Applied Statistics 1; Owen & Eckles 2012). Its
    variance of a mean is right for both and counts their interaction three times, which is small
    where there are many dates. One seed cannot be drawn: then only dates are.

    Args:
        daily: (D, V) of one seed, or (N, D, V) of N seeds.
        horizon: Rows that a label spans.
        draws: Number of samples.
        seed: Seeds the draws; dates are the same for any number of seeds.
    """
    given = daily if daily.ndim == 3 else daily[None]
    seeds, days = given.shape[:2]
    rng = np.random.default_rng(seed)
    average = given.mean(axis=0)
    for dates in drawn_dates(average, horizon, draws=draws, seed=seed):
        if seeds == 1:
            drawn = average[dates]
            yield Sample(drawn, drawn.mean(axis=0)[None])
            continue
        chosen = rng.integers(seeds, size=seeds)
        weight = np.bincount(chosen, minlength=seeds) / seeds
        share = np.bincount(dates, minlength=days) / days
        by_seed = np.einsum("d,ndv->nv", share, given)[chosen]
        yield Sample(np.tensordot(weight, given, axes=1)[dates], by_seed)


def seed_variance(by_seed: np.ndarray) -> np.ndarray:
    """(V,) variance of a mean over N seeds from the choice of seeds; 0 for one seed.

    Args:
        by_seed: (N, V) means over dates.
    """
    count = len(by_seed)
    if count == 1:
        return np.zeros(by_seed.shape[1])
    return by_seed.var(axis=0, ddof=1) / count


def mean_and_two_way_error(sample: Sample, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean (V,) over dates and seeds, and its standard error from both.

    The error over dates is that of :func:`~foldproof.tasks.statistics.mean_test.mean_test`.
    """
    mean, error = mean_and_error(sample.daily, horizon)
    return mean, np.hypot(error, np.sqrt(seed_variance(sample.by_seed)))


def critical_value(largest: np.ndarray, level: float) -> np.ndarray:
    """The quantile over draws (n, ...) of the largest ratios; infinite where it lies among such.

    A draw whose error is 0 has an infinite ratio: of columns that differ on few dates, it may have
    none of these. Between two infinite ratios numpy gives NaN, which every ratio would pass.
    """
    with np.errstate(invalid="ignore"):
        found = np.quantile(largest, level, axis=0)
    return np.where(np.isnan(found), np.inf, found)


def two_way_test(daily: np.ndarray, horizon: int, least: float = 0.0) -> MeanTest:
    """The test of a mean over dates (D,), or over seeds and dates (N, D).

    With several seeds the variance over seeds is added to that over dates, and the degrees of
    freedom are those of the sum (Satterthwaite 1946, Biometrics Bulletin 2).

    Args:
        daily: Values in time order, by seed if there are several.
        horizon: Rows that a label spans.
        least: Variance over seeds below which none is believed: see :func:`usual_seed_variance`.
    """
    over_dates = mean_test(np.atleast_2d(daily).mean(axis=0), horizon)
    seeds = len(daily) if daily.ndim == 2 else 1
    if seeds == 1 or not over_dates.freedom:
        return over_dates
    of_seeds = max(least, float(seed_variance(daily.mean(axis=1)[:, None])[0]))
    of_dates = over_dates.error**2
    error = np.sqrt(of_dates + of_seeds)
    shares = of_dates**2 / over_dates.freedom + of_seeds**2 / (seeds - 1)
    freedom = error**4 / shares if shares else float(over_dates.freedom)
    t = float(ratio(np.array(over_dates.mean), np.array(error)))
    return MeanTest(over_dates.mean, float(error), freedom, 2 * upper_tail(abs(t), freedom))


def usual_seed_variance(series: Iterable[np.ndarray]) -> float:
    """Mean over several series (N, D) of the variance of their means over seeds; 0 for one seed.

    From two to four seeds the variance of one series is by chance close to zero, and its test
    rejects a true null too often. Of many series the mean is not.
    """
    found = [float(seed_variance(np.atleast_2d(one).mean(axis=1)[:, None])[0]) for one in series]
    return float(np.mean(found)) if found else 0.0
