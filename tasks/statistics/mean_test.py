"""."""

from typing import NamedTuple

import numpy as np

LEAST_FREQUENCIES = 2
"""Degrees of freedom below which the mean is not tested."""


HORIZONS = 2
"""Horizons that the fastest frequency of the error spans, at least, in half periods."""


class MeanTest(NamedTuple):
    """The mean of a daily series against zero.

    Attributes:
        mean: Of the series.
        error: Its standard error.
        freedom: Degrees of freedom of Student's t.
        p: Probability of a mean as far from zero; NaN where the series is too short to tell.
    """

    mean: float
    error: float
    freedom: int
    p: float

    def critical(self, level: float) -> float:
        """The mean that a two-sided test at ``level`` would just call different from zero."""
        from scipy.special import stdtrit  # here: it is slow, and configurations are read first

        return float(-stdtrit(self.freedom, level / 2)) * self.error if self.freedom else np.nan


def mean_test(daily: np.ndarray, horizon: int, *, two_sided: bool = True) -> MeanTest:
    r"""Student's t with an error from low frequencies, right under overlapping labels.

    .. math:: t = \bar x \Big/ \sqrt{\tfrac1{nB} \textstyle\sum_{j=1}^B \tfrac1{k_j^2}
        \Big(\sqrt{\tfrac2n} \sum_t x_t \cos \omega_j (t - \tfrac12)\Big)^2} \sim t_B, \quad
        \omega_j = \tfrac{\pi j}{n}, \quad
        k_j = \frac{\sin(\omega_j h / 2)}{h \sin(\omega_j / 2)}

    (equal-weighted cosine estimate: Lazarus, Lewis, Stock & Watson 2018). Newey-West errors with
    normal quantiles reject a true zero too often; this does not, at a price in power. The factor k
    is what overlap over h days takes off a frequency when scores hardly change (Fejér's kernel).

    Args:
        daily: (n,) daily rank ICs.
        horizon: Days that a label spans; ICs of dates closer than that depend on each other.
        two_sided: Or else against means above zero.
    """
    freedom = frequencies(len(daily), horizon)
    if not freedom:
        return MeanTest(float(daily.mean()) if len(daily) else np.nan, np.nan, 0, np.nan)
    mean, error = mean_and_error(daily[:, None], horizon)
    t = float(ratio(mean, error)[0])
    p = 2 * upper_tail(abs(t), freedom) if two_sided else upper_tail(t, freedom)
    return MeanTest(float(mean[0]), float(error[0]), freedom, float(p))


def upper_tail(t: float, freedom: int) -> float:
    """Probability of more than ``t`` under Student's t with ``freedom`` degrees."""
    from scipy.special import stdtr  # here: it is slow, and configurations are read first

    return float(stdtr(freedom, -t))


def frequencies(dates: int, horizon: int) -> int:
    """Frequencies that enter the error: 0.41 n^(2/3), all slow against the horizon; 0 if too few.

    Beyond them the dependence that labels over ``horizon`` days bring is damped too much.
    """
    count = int(min(0.41 * dates ** (2 / 3), dates / (HORIZONS * horizon)))
    return count if count >= LEAST_FREQUENCIES else 0


def mean_and_error(daily: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and its standard error (V,) of the columns of ``daily`` (n, V), as in mean_test."""
    n = len(daily)
    pitch = np.pi * np.arange(1, frequencies(n, horizon) + 1)[:, None] / n  # (B, 1)
    waves = np.sqrt(2 / n) * np.cos(pitch * (np.arange(n) + 0.5))  # (B, n)
    overlap = np.sin(pitch * horizon / 2) / (horizon * np.sin(pitch / 2))
    return daily.mean(axis=0), np.sqrt((((waves / overlap) @ daily) ** 2).mean(axis=0) / n)


def ratio(mean: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(V,) ``mean / error``; where nothing varies 0 for a zero mean, else infinite."""
    still = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    return np.where(error > 0, mean / np.where(error > 0, error, 1.0), still)


LEAST_DATES = 10
"""Dates below which no interval is given."""


def hac_error(daily: np.ndarray, lags: int) -> np.ndarray:
    """(V,) Newey-West standard error of the mean of each column of ``daily`` (D, V).

    Bartlett's weights 1 - l / (lags + 1) are what the squares of moving sums over lags + 1 rows
    add up to (zeros beyond both ends), which takes one pass whatever the lags.
    """
    n = len(daily)
    running = np.cumsum(daily - daily.mean(axis=0), axis=0)
    edge = np.zeros((lags + 1, daily.shape[1]))
    tail = np.broadcast_to(running[-1], (lags, daily.shape[1]))
    moving = np.concatenate([running, tail]) - np.concatenate([edge, running])[: n + lags]
    return np.sqrt((moving**2).sum(axis=0) / (lags + 1)) / n


def hac_t(daily: np.ndarray, horizon: int) -> np.ndarray:
    """(V,) mean / Newey-West error with lags 2 * ``horizon``; NaN for a column that is constant.

    Labels over ``horizon`` rows overlap, and one horizon of lags still rejects too often.
    """
    error = hac_error(daily, lags_for(len(daily), horizon))
    constant = daily.max(axis=0) == daily.min(axis=0)
    return np.where(constant, np.nan, daily.mean(axis=0) / np.where(constant, 1.0, error))


def lags_for(dates: int, horizon: int) -> int:
    """Twice the horizon, and less than the dates."""
    return min(2 * horizon, dates - 1)
