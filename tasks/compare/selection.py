"""Selection bias of choosing the best of many: overfitting probability and deflated ICIR."""

from itertools import combinations
from math import e
from typing import NamedTuple

import numpy as np

from foldproof.tasks.statistics.mean_test import LEAST_DATES, hac_error, lags_for

BLOCKS = 12
"""Blocks of dates; one half selects, the other half evaluates: 924 splits."""


class Selection(NamedTuple):
    """Reliability of the best of ``trials``; NaN where it cannot be computed.

    Attributes:
        trials: Number of candidates from which the highest mean rank IC was selected.
        overfitting: Share of splits in which the selected one is at or below the median on the
            other half.
        deflated: Probability that its true ICIR exceeds the expected best of as many candidates
            without skill.
    """

    trials: int
    overfitting: float
    deflated: float


def selection(daily: np.ndarray, horizon: int) -> Selection:
    """Both figures of (D, V) daily rank ICs of the candidates."""
    return Selection(daily.shape[1], overfitting(daily), deflated(daily, horizon))


def overfitting(daily: np.ndarray, blocks: int = BLOCKS) -> float:
    """Probability of backtest overfitting, by combinatorially symmetric cross-validation.

    Dates are cut into ``blocks`` equal runs. Every half of the blocks selects the column with the
    highest mean, and the other half ranks it. The result is the share of halves in which its rank
    is at or below the median (Bailey, Borwein, Lopez de Prado & Zhu 2017): one half for equal
    columns, less if one column is better throughout, more if the winner of one half loses in the
    other.

    Args:
        daily: (D, V).
        blocks: Even number; a block should be much longer than a label.

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
    evaluated = outside[np.arange(len(halves)), chosen][:, None]
    # the mean rank of ties, from 1; divided by V + 1 the median is one half
    rank = 1 + (outside < evaluated).sum(axis=1) + ((outside == evaluated).sum(axis=1) - 1) / 2
    return float((rank / (daily.shape[1] + 1) <= 0.5).mean())


def deflated(daily: np.ndarray, horizon: int) -> float:
    r"""Deflated Sharpe ratio (Bailey & Lopez de Prado 2014) of the best column, for rank ICs.

    .. math:: \Phi\left(\frac{(s - s_0) \sqrt{n - 1}}
        {\sqrt{1 - \gamma_3 s + \frac{\gamma_4 - 1}{4} s^2}}\right), \quad
        s_0 = \sigma_s \left((1 - \gamma) \Phi^{-1}(1 - \tfrac1V)
        + \gamma \Phi^{-1}(1 - \tfrac1{V e})\right)

    with s the daily ICIR of the selected column (mean / standard deviation), sigma_s the standard
    deviation of s over columns, gamma Euler's constant, and n the number of independent dates: the
    number of dates times the ratio of the plain to the Newey-West variance of the mean, because
    overlapping labels carry less information.

    Args:
        daily: (D, V).
        horizon: Rows that a label spans.

    Returns:
        NaN for fewer than two columns, fewer than ten dates or a constant column.
    """
    from scipy import stats  # here: the import takes a second

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
