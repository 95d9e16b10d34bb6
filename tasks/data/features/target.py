"""The target: what is forecast at the close of day d, and the date on which it becomes known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.data.features.grid import Grid
from foldproof.tasks.data.features.windows import lagged, run_length

DECAY = 0.94
"""Weight lost per row by the volatility that scales a target (RiskMetrics, daily data)."""
LOOKBACK = 126
"""Rows of this volatility; older ones would weigh less than 0.05 %."""
MIN_RETURNS = 21
"""Fewest returns among these rows for which there is a volatility."""
LARGEST_SCALED = 10.0
"""A return scaled by volatility is clipped here: after stale prices the volatility is near 0."""


def forward_return(
    price: np.ndarray,
    horizon: int,
    delisting_return: float | None = None,
    carried: np.ndarray | None = None,
) -> np.ndarray:
    """(D, S) closes -> (D, S) simple return from close d + 1 to close d + 1 + ``horizon``.

    A forecast made at the close of d can be traded at the next close at the earliest. NaN where
    either price is missing. So a stock that is delisted before the end has no label, and forecasts
    are scored on survivors (Shumway 1997, Journal of Finance 52), unless a delisting return is
    given: then it is held to its last close, and earns this return from there.

    Args:
        price: (D, S) closes; NaN where there is none.
        horizon: Rows that a label spans.
        delisting_return: Return after the last close of a stock without a close on any later date;
            None: no label. A stock that is only missing at the end of the data ends there too.
        carried: (D, S) the closes, carried over short gaps. No label runs over a longer gap: the
            symbol may be another company after it.
    """
    out = np.full(price.shape, np.nan)
    n = len(price) - 1 - horizon
    if n <= 0:
        return out
    start, end = price[1 : 1 + n], price[1 + horizon :]
    if carried is None:
        carried = np.ones(price.shape)
    rows, run = np.arange(len(price))[:, None], run_length(carried)
    out[:n] = np.where(run[1 + horizon :] > horizon, end / start - 1, np.nan)
    if delisting_return is not None:
        observed = np.isfinite(price)
        last = len(price) - 1 - observed[::-1].argmax(axis=0)
        final = price[last, np.arange(price.shape[1])] * (1 + delisting_return)
        whole = last - rows[1 : 1 + n] < run[last, np.arange(price.shape[1])]
        paid = (rows[1 + horizon :] > last) & whole & ~np.isfinite(end)
        out[:n] = np.where(paid, final / start - 1, out[:n])
    return out


def label_ends(dates: np.ndarray, horizon: int) -> np.ndarray:
    """(D,) datetime64[D]: date d + 1 + ``horizon``; NaT where it lies beyond the data."""
    out = np.full(dates.shape, np.datetime64("NaT"), dates.dtype)
    out[: max(len(dates) - 1 - horizon, 0)] = dates[1 + horizon :]
    return out


def given_label_ends(label_end: pd.Series, grid: Grid) -> np.ndarray:
    """(D,) datetime64[D]: the latest label end of each date; NaT where it lies beyond the data.

    The panel has one label end per date: its labels count as known when the last one is.
    """
    latest = label_end.groupby(grid.row).max().reindex(range(len(grid.dates)))
    out = latest.to_numpy().astype("datetime64[D]")
    out[out > grid.dates[-1]] = np.datetime64("NaT")
    return out


def market_relative(values: np.ndarray) -> np.ndarray:
    """(D, S) -> values minus the mean of their date."""
    return values - row_mean(values)


def cs_zscore(values: np.ndarray) -> np.ndarray:
    """(D, S) -> z-scores within each date; NaN where all values of a date are equal."""
    centred = market_relative(values)
    spread = np.sqrt(row_mean(centred**2))
    some = spread > 1e-12 * np.abs(row_mean(values))
    return np.divide(centred, spread, out=np.full(values.shape, np.nan), where=some)


def cs_rank(values: np.ndarray) -> np.ndarray:
    """(D, S) -> ranks within each date, -0.5 to 0.5; ties get the middle, a lone value NaN."""
    ranks = pd.DataFrame(values).rank(axis=1).to_numpy()
    number = (~np.isnan(values)).sum(axis=1, keepdims=True)
    lone = np.full(values.shape, np.nan)
    return np.divide(ranks - 1, number - 1, out=lone, where=number > 1) - 0.5


def cs_rank_normal(values: np.ndarray) -> np.ndarray:
    """(D, S) -> normal quantiles of (rank - 0.5) / n within each date; a lone value NaN.

    Blom 1958, with Hazen's offset 0.5. Ties get the quantile of their mean rank.
    """
    from scipy.special import ndtri  # here: slow to import, and configurations load first

    ranks = pd.DataFrame(values).rank(axis=1).to_numpy()
    number = (~np.isnan(values)).sum(axis=1, keepdims=True)
    lone = np.full(values.shape, np.nan)
    return ndtri(np.divide(ranks - 0.5, number, out=lone, where=number > 1))


def volatility(price: np.ndarray, carried: np.ndarray | None = None) -> np.ndarray:
    """(D, S) closes -> (D, S) forecast at close d of the standard deviation of a day's return.

    The square root of the exponentially weighted mean of squared simple returns up to row d, of
    at most ``LOOKBACK`` rows (RiskMetrics, J.P. Morgan 1996: the mean return is taken as 0).
    Missing returns have no weight. NaN where fewer than ``MIN_RETURNS`` are known, or all are 0.

    Args:
        price: Closes; NaN where there is none.
        carried: (D, S) the closes, carried over short gaps. Returns before a longer gap have no
            weight.
    """
    squares = (price / lagged(price, 1) - 1) ** 2
    known = np.isfinite(squares)
    filled = np.where(known, squares, 0.0)
    total, weight, count = np.zeros(price.shape), np.zeros(price.shape), np.zeros(price.shape, int)
    rows, run = len(price), run_length(np.ones(price.shape) if carried is None else carried)
    for lag in range(min(LOOKBACK, rows)):  # in a fixed order, so that no earlier row has a bit
        own = known[: rows - lag] & (run[lag:] > lag)
        total[lag:] += DECAY**lag * np.where(own, filled[: rows - lag], 0.0)
        weight[lag:] += DECAY**lag * own
        count[lag:] += own
    usable = (count >= MIN_RETURNS) & (total > 0)
    return np.sqrt(np.divide(total, weight, out=np.full(price.shape, np.nan), where=usable))


@dataclass(frozen=True, eq=False)
class Labels:
    """What a kind of target is computed from.

    Attributes:
        values: (D, S) returns to forecast of the members; NaN where unknown.
        price: (D, S) closes; None if the table has no prices.
        horizon: Trading days that a return spans.
        carried: (D, S) closes, carried over short gaps; None if gaps do not matter.
    """

    values: np.ndarray
    price: np.ndarray | None
    horizon: int
    carried: np.ndarray | None = None


def volatility_scaled(labels: Labels) -> np.ndarray:
    """(D, S) returns over the volatility of ``horizon`` days that was forecast at close d.

    Raises:
        ValueError: There are no prices to compute the volatility from.
    """
    if labels.price is None:
        raise ValueError(
            "target.kind volatility_scaled needs prices, from which the volatility is computed: "
            "set data.columns.price, or use another kind"
        )
    expected = volatility(labels.price, labels.carried) * np.sqrt(labels.horizon)
    return np.clip(labels.values / expected, -LARGEST_SCALED, LARGEST_SCALED)


@dataclass(frozen=True)
class TargetKind:
    """A normalization of the target.

    Attributes:
        formula: One line; y the forward return, n the number of members with a return on the date.
        statistics: The rows that its statistics are from.
        compute: Labels -> (D, S); NaN stays NaN.
        source: Paper, library or practice that it comes from.
        good_for: What it suits, in one line.
        trap: The mistake that users make with it, in one line.
        lookback: Rows of prices that it reads, that of its own date included.
    """

    formula: str
    statistics: str
    compute: Callable[[Labels], np.ndarray]
    source: str
    good_for: str
    trap: str
    lookback: int = 1

    @property
    def cross_sectional(self) -> bool:
        """Whether it compares the stocks of a date, so that its level continues no feature."""
        return self.statistics == OWN_DATE


OWN_DATE = "returns of the date's members, known when the label is"
KINDS: Mapping[str, TargetKind] = MappingProxyType({
    "return": TargetKind(
        "y", "none", lambda one: one.values, "practice",
        "forecasts of the size of a return, market included",
        "the market's moves are most of its variance"),
    "market_relative": TargetKind(
        "y - mean_date", OWN_DATE, lambda one: market_relative(one.values),
        "Gu, Kelly & Xiu 2020", "long-short books, which do not hold the market",
        "stocks of high beta still move with the market"),
    "cs_zscore": TargetKind(
        "(y - mean_date) / sd_date", OWN_DATE, lambda one: cs_zscore(one.values),
        "qlib CSZScoreNorm of the label", "ranking stocks, each date with equal weight",
        "one jump takes most of a date's variance"),
    "cs_rank": TargetKind(
        "(rank - 1) / (n - 1) - 0.5", OWN_DATE, lambda one: cs_rank(one.values),
        "qlib CSRankNorm of the label", "rank IC, heavy-tailed returns",
        "the largest gains count as much as those in the middle"),
    "cs_rank_normal": TargetKind(
        "Phi^-1((rank - 0.5) / n)", OWN_DATE, lambda one: cs_rank_normal(one.values),
        "Blom 1958, with Hazen's offset 0.5", "rank IC, with more weight on both ends",
        "the largest value grows with the number of members"),
    "volatility_scaled": TargetKind(
        "clip(y / (sd sqrt(horizon)), -10, 10), sd^2 the mean of the stock's squared returns, "
        f"weights {DECAY}^k",
        f"the stock's returns up to the forecast's date, {LOOKBACK} rows; none of the horizon",
        volatility_scaled, "Lim, Zohren & Roberts 2019; RiskMetrics (J.P. Morgan 1996)",
        "positions of equal risk", "another task: calm stocks count as much as wild ones",
        LOOKBACK + 1),
})  # fmt: skip
"""Choices of target.kind. Cross-sectional statistics are part of a label's definition: they are
known when the label is, and no feature reads them. Statistics of a stock's history end at the date
of the forecast."""


def row_mean(values: np.ndarray) -> np.ndarray:
    """(D, S) -> (D, 1) mean of the values that are not NaN; NaN where there is none."""
    number = (~np.isnan(values)).sum(axis=1, keepdims=True)
    total = np.nansum(values, axis=1, keepdims=True)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
