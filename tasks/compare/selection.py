"""Selection bias of choosing the best of many: overfitting probability and deflated ICIR."""

from itertools import combinations
from math import e
from typing import NamedTuple

import numpy as np

from foldproof.tasks.compare.resampling import drawn_dates
from foldproof.tasks.statistics.mean_test import LEAST_DATES, hac_error, lags_for

BLOCKS, LEAST_BLOCKS = 12, 6
"""Most and fewest blocks of dates; one half selects, the other half evaluates: 924 to 20 splits."""
LEAST_HORIZONS = 3
"""A block spans at least this many horizons."""


class Selection(NamedTuple):
    """Reliability of the best of ``trials``; NaN where it cannot be computed.

    Attributes:
        trials: Number of candidates from which the highest mean rank IC was selected.
        earlier: Number of other configurations compared before, which the deflation counts too.
        overfitting: Share of splits in which the selected one is at or below the median on the
            other half.
        chance: The 5 % and 95 % quantiles of that share for equal candidates.
        deflated: Probability that the true ICIR of the best gain over the reference exceeds the
            expected best of as many trials without a gain, earlier ones included.
    """

    trials: int
    earlier: int
    overfitting: float
    chance: tuple[float, float]
    deflated: float


def selection(
    daily: np.ndarray,
    horizon: int,
    reference: np.ndarray | None = None,
    *,
    earlier: int = 0,
) -> Selection:
    """The figures of the best of V candidates.

    Args:
        daily: (D, V) daily rank ICs of the candidates.
        horizon: Rows that a label spans.
        reference: (D,) daily rank ICs of the best forecaster without a network; the deflated ratio
            is that of the gain over it. None: over a rank IC of zero.
        earlier: Other configurations compared before. A search that takes several comparisons has
            as many trials as all of them.
    """
    gain = daily if reference is None else daily - reference[:, None]
    return Selection(
        daily.shape[1],
        earlier,
        overfitting(daily, horizon),
        overfitting_by_chance(daily, horizon),
        deflated(gain, horizon, earlier=earlier),
    )


def overfitting_by_chance(
    daily: np.ndarray, horizon: int, *, draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """The 5 % and 95 % quantiles of :func:`overfitting` for equally good columns.

    The columns of ``daily`` (D, V) get the same mean, and whole dates are drawn by the stationary
    bootstrap. On noise the share ranges widely about one half, so by itself it proves little.
    """
    if daily.shape[1] < 2 or not blocks_for(len(daily), horizon):
        return float("nan"), float("nan")
    equal = daily - daily.mean(axis=0)
    rows = drawn_dates(equal, horizon, draws=draws, seed=seed)
    low, high = np.quantile([overfitting(equal[dates], horizon) for dates in rows], [0.05, 0.95])
    return float(low), float(high)


def blocks_for(dates: int, horizon: int) -> int:
    """The largest even number of blocks of at least three horizons each; 0 if below six."""
    fitting = dates // (LEAST_HORIZONS * horizon)
    count = 2 * (min(BLOCKS, fitting) // 2)
    return count if count >= LEAST_BLOCKS else 0


def overfitting(daily: np.ndarray, horizon: int) -> float:
    """Probability of backtest overfitting, by combinatorially symmetric cross-validation.

    Dates are cut into up to twelve equal blocks. Every half of the blocks selects the column with
    the highest mean, and the other half ranks it. The result is the share of halves in which its
    rank is at or below the median (Bailey, Borwein, Lopez de Prado & Zhu 2017): one half for
    equal columns, less if one column is better throughout, more if the winner of one half loses
    in the other. The last ``horizon`` dates of a block are left out before the next block: their
    labels reach into it, and a shared return makes the halves alike (on noise the mean was .36
    with 20-day labels and 252 dates).

    Args:
        daily: (D, V).
        horizon: Rows that a label spans.

    Returns:
        NaN for fewer than two columns or too few dates: six blocks of three horizons each.
    """
    blocks = blocks_for(len(daily), horizon)
    if daily.shape[1] < 2 or not blocks:
        return float("nan")
    parts = np.array_split(daily, blocks)
    purged = [part[:-horizon] for part in parts[:-1]] + parts[-1:]
    sums = np.stack([part.mean(axis=0) for part in purged])
    halves = np.array([*combinations(range(blocks), blocks // 2)])
    inside = sums[halves].sum(axis=1)
    outside = sums.sum(axis=0) - inside
    chosen = inside.argmax(axis=1)
    evaluated = outside[np.arange(len(halves)), chosen][:, None]
    # the mean rank of ties, from 1; divided by V + 1 the median is one half
    rank = 1 + (outside < evaluated).sum(axis=1) + ((outside == evaluated).sum(axis=1) - 1) / 2
    return float((rank / (daily.shape[1] + 1) <= 0.5).mean())


def deflated(daily: np.ndarray, horizon: int, *, earlier: int = 0) -> float:
    r"""Deflated Sharpe ratio of the largest ratio of a column: see :func:`deflated_ratio`.

    The ratio is that of a date (mean / standard deviation), and the number of independent dates is
    the number of dates times the ratio of the plain to the Newey-West variance of the mean, because
    overlapping labels carry less information.

    Args:
        daily: (D, V).
        horizon: Rows that a label spans.
        earlier: Trials beside the V columns. Their ratios are taken to spread as those of the V.

    Returns:
        NaN for fewer than two columns, fewer than ten dates or a constant column.
    """
    from scipy import stats  # here: the import takes a second

    count, columns = daily.shape
    spread = daily.std(axis=0)
    if columns < 2 or count < LEAST_DATES or not (spread > 0).all():
        return float("nan")
    ratios = daily.mean(axis=0) / spread
    best = int(ratios.argmax())
    error = hac_error(daily[:, [best]], lags_for(count, horizon))[0]
    return deflated_ratio(
        float(ratios[best]),
        luck=best_by_luck(float(ratios.std(ddof=1)), columns + earlier),
        dates=min(count, (spread[best] / error) ** 2),
        skewness=float(stats.skew(daily[:, best])),
        kurtosis=float(stats.kurtosis(daily[:, best], fisher=False)),
    )


def best_by_luck(spread: float, trials: int) -> float:
    r"""Expected largest of ``trials`` ratios whose true values are all zero.

    .. math:: \sigma_s \left((1 - \gamma) \Phi^{-1}(1 - \tfrac1V)
        + \gamma \Phi^{-1}(1 - \tfrac1{V e})\right)

    with sigma_s the standard deviation of the ratios, ``spread``, and gamma Euler's constant.
    """
    from scipy.stats import norm

    expected = (1 - np.euler_gamma) * norm.ppf(1 - 1 / trials)
    return float(spread * (expected + np.euler_gamma * norm.ppf(1 - 1 / (trials * e))))


def deflated_ratio(
    ratio: float, *, luck: float, dates: float, skewness: float, kurtosis: float
) -> float:
    r"""Deflated Sharpe ratio (Bailey & Lopez de Prado 2014, Journal of Portfolio Management 40).

    .. math:: \Phi\left(\frac{(s - s_0) \sqrt{n - 1}}
        {\sqrt{1 - \gamma_3 s + \frac{\gamma_4 - 1}{4} s^2}}\right)

    Args:
        ratio: s, mean / standard deviation of one date, not annualized.
        luck: s_0 of :func:`best_by_luck`.
        dates: n, the number of independent dates.
        skewness: Of the daily series.
        kurtosis: Of the daily series; 3 for a normal one.
    """
    from scipy.stats import norm

    noise = np.sqrt(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2)
    return float(norm.cdf((ratio - luck) * np.sqrt(dates - 1) / noise))
