"""Tests of the mean of a dependent daily series: cosine errors for tests, Newey-West for intervals.

scipy is imported inside the functions: the import takes a second, and reading a configuration does
not need it.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

LEAST_FREQUENCIES = 2
"""Degrees of freedom below which the mean is not tested."""
HORIZONS = 2
"""Every frequency of the error has a half period of at least this many horizons."""
SHARE = 0.41
"""Frequencies used: this many times n^(2/3), for a series of n dates (Lazarus et al. 2018)."""
LEAST_DATES = 10
"""Dates below which no Newey-West interval is given."""
ROUNDING = 1e-12
"""An error below this share of the mean is rounding: the series is constant."""


class MeanTest(NamedTuple):
    """The mean of a daily series with its standard error.

    Attributes:
        mean: Mean of the series.
        error: Standard error of the mean.
        freedom: Degrees of freedom of Student's t; 0 for a series too short to test.
        p: p-value of a true mean of zero; NaN for a series too short to test.
    """

    mean: float
    error: float
    freedom: float
    p: float

    def critical(self, level: float) -> float:
        """The smallest mean that is significant in a two-sided test at ``level``."""
        from scipy.special import stdtrit

        return float(-stdtrit(self.freedom, level / 2)) * self.error if self.freedom else np.nan

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided interval of the mean that misses it with probability ``level`` on each side."""
        half = self.critical(2 * level)
        return self.mean - half, self.mean + half

    def above(self, least: float) -> float:
        """One-sided p-value of a true mean of at most ``least``.

        1 for a constant series, which proves nothing, but 0 for zeros and a ``least`` below: two
        forecasters that agree on every date are equivalent.
        """
        if not self.freedom:
            return np.nan
        if self.mean == self.error == 0:
            return 0.0 if least < 0 else 1.0
        if self.error <= ROUNDING * abs(self.mean):
            return 1.0
        return upper_tail((self.mean - least) / self.error, self.freedom)

    def below(self, most: float) -> float:
        """One-sided p-value of a true mean of at least ``most``, as :meth:`above`."""
        return self._replace(mean=-self.mean).above(-most)


def mean_test(daily: np.ndarray, horizon: int, *, two_sided: bool = True) -> MeanTest:
    r"""Student's t with an error from low frequencies, valid under overlapping labels.

    .. math:: t = \bar x \Big/ \sqrt{\tfrac1{nB} \textstyle\sum_{j=1}^B \tfrac1{k_j^2}
        \Big(\sqrt{\tfrac2n} \sum_t x_t \cos \omega_j (t - \tfrac12)\Big)^2} \sim t_B, \quad
        \omega_j = \tfrac{\pi j}{n}, \quad
        k_j = \frac{\sin(\omega_j h / 2)}{h \sin(\omega_j / 2)}

    This is the equal-weighted cosine estimate of Lazarus, Lewis, Stock & Watson (2018, Journal of
    Business & Economic Statistics 36). The factor k (Fejér's kernel) undoes the damping of a
    frequency by an overlap of h days. Newey-West errors with normal quantiles reject a true null
    too often; this test does not, at a cost in power
    (``python -m tests.benchmarks.mean_test_power``).

    Args:
        daily: (n,) one finite value per date, in time order.
        horizon: Dates that a label spans; values closer than that depend on each other.
        two_sided: False tests against means above zero only.
    """
    freedom = frequencies(len(daily), horizon)
    if not freedom:
        return MeanTest(float(daily.mean()) if len(daily) else np.nan, np.nan, 0, np.nan)
    mean, error = mean_and_error(daily[:, None], horizon)
    t = float(ratio(mean, error)[0])
    p = 2 * upper_tail(abs(t), freedom) if two_sided else upper_tail(t, freedom)
    return MeanTest(float(mean[0]), float(error[0]), freedom, float(p))


def upper_tail(t: float, freedom: float) -> float:
    """Probability that Student's t with ``freedom`` degrees exceeds ``t``."""
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))


def frequencies(dates: int, horizon: int) -> int:
    """Frequencies in the error: 0.41 n^(2/3), all slow relative to the horizon; 0 if too few.

    At faster frequencies an overlap over ``horizon`` dates damps the series too much.
    """
    count = int(min(SHARE * dates ** (2 / 3), dates / (HORIZONS * horizon)))
    return count if count >= LEAST_FREQUENCIES else 0


def dates_needed(horizon: int) -> int:
    """The fewest dates on which a mean is tested: four horizons, at least eleven."""
    least = int(np.ceil((LEAST_FREQUENCIES / SHARE) ** 1.5))
    return max(least, LEAST_FREQUENCIES * HORIZONS * horizon)


@lru_cache(maxsize=8)
def filters(dates: int, horizon: int) -> np.ndarray:
    """(B, n) low-frequency cosines over the damping of the overlap: see :func:`mean_test`."""
    pitch = np.pi * np.arange(1, frequencies(dates, horizon) + 1)[:, None] / dates
    waves = np.sqrt(2 / dates) * np.cos(pitch * (np.arange(dates) + 0.5))
    overlap = np.sin(pitch * horizon / 2) / (horizon * np.sin(pitch / 2))
    return waves / overlap


def projections(daily: np.ndarray, horizon: int) -> np.ndarray:
    """(B, V) projections of the columns of ``daily`` (n, V) on the low frequencies.

    The squared standard error of a mean is the mean square of its column over n. The projection of
    a difference is the difference of the projections.
    """
    return filters(len(daily), horizon) @ daily


def mean_and_error(daily: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and its standard error (V,) of the columns of ``daily`` (n, V), as in mean_test."""
    parts = projections(daily, horizon)
    return daily.mean(axis=0), np.sqrt((parts**2).mean(axis=0) / len(daily))


def ratio(mean: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(V,) ``mean / error``; for an error of 0, 0 if the mean is zero and infinite otherwise."""
    constant = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    return np.where(error > 0, mean / np.where(error > 0, error, 1.0), constant)


def hac_error(daily: np.ndarray, lags: int) -> np.ndarray:
    """(V,) Newey-West standard error of the mean of each column of ``daily`` (D, V).

    The weighted autocovariances with Bartlett's weights 1 - l / (lags + 1) equal the sum of squares
    of moving sums over lags + 1 rows (with zeros beyond both ends), so one pass is enough.
    """
    n = len(daily)
    running = np.cumsum(daily - daily.mean(axis=0), axis=0)
    edge = np.zeros((lags + 1, daily.shape[1]))
    tail = np.broadcast_to(running[-1], (lags, daily.shape[1]))
    moving = np.concatenate([running, tail]) - np.concatenate([edge, running])[: n + lags]
    return np.sqrt((moving**2).sum(axis=0) / (lags + 1)) / n


def hac_t(daily: np.ndarray, horizon: int) -> np.ndarray:
    """(V,) mean / Newey-West error with lags 2 * ``horizon``; NaN for a constant column.

    Labels over ``horizon`` rows overlap; with lags of one horizon the test rejects too often.
    """
    error = hac_error(daily, lags_for(len(daily), horizon))
    constant = daily.max(axis=0) == daily.min(axis=0)
    return np.where(constant, np.nan, daily.mean(axis=0) / np.where(constant, 1.0, error))


def lags_for(dates: int, horizon: int) -> int:
    """Twice the horizon, but fewer than the dates."""
    return min(2 * horizon, dates - 1)
