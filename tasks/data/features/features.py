"""Causal features of prices: row d is made from the closes up to day d and nothing later."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.data.features.grid import Grid, carried, grid_of, members
from foldproof.tasks.data.features.windows import (
    covariance,
    deviation,
    extreme,
    lagged,
    mean,
    rolling,
    run_length,
)


@dataclass(frozen=True, eq=False)
class Prices:
    """Inputs of the price features; (D, S) float64 each, the market's return (D, 1).

    Attributes:
        close: Adjusted close, carried over short gaps.
        returns: Log return of one day.
        market: Mean of ``returns`` over the day's members: the equal-weighted market.
        volume: Shares traded; None if the table has no volume.
    """

    close: np.ndarray
    returns: np.ndarray
    market: np.ndarray
    volume: np.ndarray | None


@dataclass(frozen=True)
class Feature:
    """A causal feature.

    Attributes:
        formula: One line; P close, r one-day log return, m the market's r, V volume.
        unit: Unit of its values.
        lookback: Rows that it reads, its own included.
        source: Paper or practice that it comes from.
        compute: Prices -> (D, S); NaN or infinite where it is not defined.
        needs_volume: Whether tables without volume leave it out.
    """

    formula: str
    unit: str
    lookback: int
    source: str
    compute: Callable[[Prices], np.ndarray]
    needs_volume: bool = False


def log_return(p: Prices, days: int, skip: int = 0) -> np.ndarray:
    """(D, S) log P[d - skip] / P[d - days]; NaN where a close between them is missing.

    A symbol that returns after a gap may be another company.
    """
    found = np.log(lagged(p.close, skip) / lagged(p.close, days))
    found[run_length(p.close) <= days] = np.nan
    return found


def relative(p: Prices, days: int) -> np.ndarray:
    """(D, S) sum of r - m over ``days``."""
    return rolling(p.returns - p.market, days, np.add)


def traded(p: Prices) -> np.ndarray:
    """(D, S) volume; days without trades are missing, as log 0 is undefined."""
    if p.volume is None:
        raise ValueError("this feature needs volume; the prices have none")
    return np.where(p.volume > 0, p.volume, np.nan)


JT93 = "Jegadeesh and Titman 1993"
FEATURES: Mapping[str, Feature] = MappingProxyType({
    "return_1": Feature("log P[d] / P[d-1]", "log return", 2, "practice",
                        lambda p: log_return(p, 1)),
    "return_5": Feature("log P[d] / P[d-5]", "log return", 6, "practice",
                        lambda p: log_return(p, 5)),
    "return_21": Feature("log P[d] / P[d-21]", "log return", 22, "Jegadeesh 1990",
                         lambda p: log_return(p, 21)),
    "return_63": Feature("log P[d] / P[d-63]", "log return", 64, JT93,
                         lambda p: log_return(p, 63)),
    "momentum_252_21": Feature("log P[d-21] / P[d-252]", "log return", 253, JT93,
                               lambda p: log_return(p, 252, skip=21)),
    "reversal_5": Feature("-(log P[d] / P[d-5]) / (sd(r, 21) sqrt 5)", "standard deviations", 22,
                          "Lehmann 1990",
                          lambda p: -log_return(p, 5) / (deviation(p.returns, 21) * 5**0.5)),
    "volatility_21": Feature("sd(r, 21)", "log return a day", 22, "practice",
                             lambda p: deviation(p.returns, 21)),
    "volatility_63": Feature("sd(r, 63)", "log return a day", 64, "practice",
                             lambda p: deviation(p.returns, 63)),
    "max_return_21": Feature("max(r, 21)", "log return", 22, "Bali, Cakici and Whitelaw 2011",
                             lambda p: extreme(p.returns, 21, np.maximum)),
    "drawdown_252": Feature("P[d] / max(P, 252) - 1", "fraction", 252, "George and Hwang 2004",
                            lambda p: p.close / extreme(p.close, 252, np.maximum) - 1),
    "rise_252": Feature("P[d] / min(P, 252) - 1", "fraction", 252, "practice",
                        lambda p: p.close / extreme(p.close, 252, np.minimum) - 1),
    "relative_5": Feature("sum(r - m, 5)", "log return", 6, "practice",
                          lambda p: relative(p, 5)),
    "relative_21": Feature("sum(r - m, 21)", "log return", 22, "practice",
                           lambda p: relative(p, 21)),
    "beta_63": Feature("cov(r, m, 63) / var(m, 63)", "ratio", 64, "Sharpe 1964",
                       lambda p: covariance(p.returns, p.market, 63) / deviation(p.market, 63)**2),
    "volume_change_21": Feature("log V[d] / mean(V, 21)", "log ratio", 21,
                                "Gervais, Kaniel and Mingelgrin 2001",
                                lambda p: np.log(traded(p) / mean(traded(p), 21)), True),
    "illiquidity_21": Feature("log mean(|r| / (P V), 21)", "log of 1 / money traded", 22,
                              "Amihud 2002",
                              lambda p: np.log(mean(np.abs(p.returns) / (p.close * traded(p)), 21)),
                              True),
})  # fmt: skip
"""The built-in causal features. A later row never changes a value, not even its last bit."""


def market_return(returns: np.ndarray, member: np.ndarray) -> np.ndarray:
    """(D, 1) mean of ``returns`` over the members that have one; NaN where none has.

    The sum runs in the order of the symbols. A pairwise sum would change in the last bits when a
    symbol that is listed later adds an empty column.
    """
    counted = member & ~np.isnan(returns)
    total = np.cumsum(np.where(counted, returns, 0.0), axis=1)[:, -1:]
    number = counted.sum(axis=1, keepdims=True)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)


def prices_of(frame: pd.DataFrame, grid: Grid, fill_limit: int) -> Prices:
    """Dense prices of the long rows; closes are carried over gaps of ``fill_limit`` dates."""
    close = carried(grid.dense(frame["price"]), fill_limit)
    returns = np.log(close / lagged(close, 1))
    market = market_return(returns, members(frame, grid))
    volume = grid.dense(frame["volume"]) if "volume" in frame else None
    return Prices(close, returns, market, volume)


def price_features(
    frame: pd.DataFrame, fill_limit: int = 5, names: Iterable[str] = tuple(FEATURES)
) -> pd.DataFrame:
    """Compute the built-in features that the table allows.

    Args:
        frame: Long rows: date, symbol, price; volume and member are optional.
        fill_limit: Dates over which a close is carried; after a longer gap the history restarts.
        names: Keys of FEATURES; by default all.

    Returns:
        Features on the same rows (same index); NaN until the look-back is full.
    """
    grid = grid_of(frame)
    out = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        prices = prices_of(frame, grid, fill_limit)
        for name in names:
            feature = FEATURES[name]
            if prices.volume is not None or not feature.needs_volume:
                values = grid.long(feature.compute(prices))
                out[name] = np.where(np.isfinite(values), values, np.nan)
    return pd.DataFrame(out, index=frame.index)
