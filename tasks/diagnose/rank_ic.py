"""Daily rank IC of scores, and whether its mean can be zero."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from tasks.cross_section import correlation

LEAST_NAMES = 3
"""Symbols of a date below which its rank IC says nothing."""
LEAST_FREQUENCIES = 2
"""Degrees of freedom below which the mean is not tested."""
HORIZONS = 2
"""Horizons that the fastest frequency of the error spans, at least, in half periods."""


def daily_rank_ic(scores: pd.Series, target: pd.Series) -> pd.Series:
    """Spearman correlation across the symbols of each date, ties by their mean rank.

    Args:
        scores: Indexed (date, symbol).
        target: Indexed (date, symbol).

    Returns:
        (D,) by date, ascending: dates with both for three symbols at least. 0 on a date whose
        scores or targets are all equal: nothing is ordered there.
    """
    both = pd.concat([scores, target], axis=1, keys=["scores", "target"], join="inner").dropna()
    if both.empty:
        return pd.Series(dtype=np.float64)
    wide = both.unstack(level=1).sort_index()
    daily = rank_correlation(wide["scores"].to_numpy(), wide["target"].to_numpy())
    return pd.Series(daily, index=wide.index).dropna()


def rank_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(D,) Spearman correlation of the rows of x and y (D, S) on the cells that both have.

    NaN in rows of fewer than three such cells, 0 in rows where either is constant.
    """
    both = np.isfinite(x) & np.isfinite(y)
    daily = np.full(len(x), np.nan)
    usable = both.sum(axis=1) >= LEAST_NAMES
    if usable.any():
        pair = (pd.DataFrame(np.where(both, values, np.nan)[usable]) for values in (x, y))
        daily[usable] = correlation(*(values.rank(axis=1).to_numpy() for values in pair))
    return daily


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
