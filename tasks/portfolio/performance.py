"""Return, risk, drawdown and costs of a daily series of profits per unit of notional."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from foldproof.tasks.compare.metrics import ratio

YEAR = 252
"""Trading days of a year."""
BASIS_POINT = 1e-4
ROUNDING = 1e-9
"""Volatility of a year below which a book earns nothing but rounding."""


def annual_return(daily: np.ndarray) -> float:
    """Mean profit of a year, not compounded."""
    return YEAR * float(daily.mean())


def volatility(daily: np.ndarray) -> float:
    """Standard deviation of the profit of a year, from daily profits taken as independent."""
    return float(np.sqrt(YEAR) * daily.std(ddof=1)) if len(daily) > 1 else float("nan")


def sharpe(daily: np.ndarray) -> float:
    """Annual return over volatility, without a risk-free rate; NaN without risk."""
    risk = volatility(daily)
    return annual_return(daily) / risk if risk > ROUNDING else float("nan")


def drawdown(daily: np.ndarray) -> float:
    """Largest loss from a peak of the summed profits, as a share of the notional; 0 or more."""
    curve = np.concatenate([[0.0], np.cumsum(daily)])
    return float((np.maximum.accumulate(curve) - curve).max())


def net(daily: np.ndarray, trades: np.ndarray, cost: float) -> np.ndarray:
    """Profits less ``cost`` basis points of the value traded."""
    return daily - cost * BASIS_POINT * trades


def break_even(daily: np.ndarray, trades: np.ndarray) -> float:
    """Cost in basis points of the value traded that takes all profit; NaN without trades."""
    return ratio(float(daily.mean()), float(trades.mean())) / BASIS_POINT


def by_cost(daily: np.ndarray, trades: np.ndarray, costs: Sequence[float]) -> pd.DataFrame:
    """A row per cost: cost in basis points, annual_return, volatility, sharpe, drawdown."""
    rows = []
    for cost in costs:
        left = net(daily, trades, cost)
        figures = annual_return(left), volatility(left), sharpe(left), drawdown(left)
        rows.append((float(cost), *figures))
    return pd.DataFrame(rows, columns=["cost", "annual_return", "volatility", "sharpe", "drawdown"])
