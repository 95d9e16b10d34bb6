"""What choosing the best of many costs: how often it disappoints, and what luck explains."""

from itertools import combinations
from math import e
from typing import NamedTuple

import numpy as np

from foldproof.tasks.statistics.mean_test import LEAST_DATES, hac_error, lags_for

BLOCKS = 12
"""Blocks of dates of which one half chooses and the other judges: 924 splits."""


class Selection(NamedTuple):
    """How far the best of ``trials`` can be trusted to be the best; NaN where it cannot be told.

    Attributes:
        trials: Candidates among which the highest mean rank IC was chosen.
        overfitting: Share of splits in which the choice is below the median on the other half.
        deflated: Probability that its true ICIR exceeds what the best of as many without skill
            would show.
    """

    trials: int
    overfitting: float
    deflated: float


def selection(daily: np.ndarray, horizon: int) -> Selection:
    """Both figures of (D, V) daily rank ICs of the candidates."""
    return Selection(daily.shape[1], overfitting(daily), deflated(daily, horizon))


def overfitting(daily: np.ndarray, blocks: int = BLOCKS) -> float:
    """Probability of backtest overfitting, by combinatorially symmetric cross-validation.

    Dates are cut into ``blocks`` equal runs. Every half of them chooses the column with the highest
    mean, the other half ranks it: the share of halves in which its relative rank is no better than
    the median (Bailey, Borwein, Lopez de Prado & Zhu 2017). One half for columns that all mean the
    same, less where one is better throughout, more where what is won here is lost there.

    Args:
        daily: (D, V).
        blocks: Even; blocks should be much longer than a label.

    Returns:
        NaN for fewer than two columns or fewer dates than blocks.
    """
    if daily.shape[1] < 2 or len(daily) < blocks:
        return float("nan")
    sums = np.stack([part.mean(axis=0) for part in np.array_split(daily, blocks)])
    halves = np.array([*combinations(range(blocks), blocks // 2)])
    inside = sums[halves].sum(axis=1)
    outside = sums.sum(axis=0) - inside
    chosen = inside.argmax(axis=1)
    judged = outside[np.arange(len(halves)), chosen][:, None]
    # the mean rank of ties, counted from 1: relative to V + 1 the median is one half
    rank = 1 + (outside < judged).sum(axis=1) + ((outside == judged).sum(axis=1) - 1) / 2
    return float((rank / (daily.shape[1] + 1) <= 0.5).mean())


def deflated(daily: np.ndarray, horizon: int) -> float:
    r"""Deflated Sharpe ratio (Bailey & Lopez de Prado 2014) of the best column, for rank ICs.

    .. math:: \Phi\left(\frac{(s - s_0) \sqrt{n - 1}}
        {\sqrt{1 - \gamma_3 s + \frac{\gamma_4 - 1}{4} s^2}}\right), \quad
        s_0 = \sigma_s \left((1 - \gamma) \Phi^{-1}(1 - \tfrac1V)
        + \gamma \Phi^{-1}(1 - \tfrac1{V e})\right)

    with s the mean over the standard deviation of the chosen column (its daily ICIR), sigma_s the
    spread of s over columns, gamma Euler's constant, and n the number of independent dates: labels
    that overlap count less, by the ratio of the plain to the Newey-West variance of the mean.

    Args:
        daily: (D, V).
        horizon: Rows that a label spans.

    Returns:
        NaN for fewer than two columns, too few dates or a column that is constant.
    """
    from scipy import stats  # here: it is slow, and a configuration does not need it

    count, columns = daily.shape
    spread = daily.std(axis=0)
    if columns < 2 or count < LEAST_DATES or not (spread > 0).all():
        return float("nan")
    ratios = daily.mean(axis=0) / spread
    best = int(daily.mean(axis=0).argmax())
    expected = (1 - np.euler_gamma) * stats.norm.ppf(1 - 1 / columns)
    expected += np.euler_gamma * stats.norm.ppf(1 - 1 / (columns * e))
    luck = ratios.std(ddof=1) * expected
    error = hac_error(daily[:, [best]], lags_for(count, horizon))[0]
    independent = min(count, (spread[best] / error) ** 2)
    skew, kurtosis = stats.skew(daily[:, best]), stats.kurtosis(daily[:, best], fisher=False)
    s = ratios[best]
    noise = np.sqrt(1 - skew * s + (kurtosis - 1) / 4 * s**2)
    return float(stats.norm.cdf((s - luck) * np.sqrt(independent - 1) / noise))
