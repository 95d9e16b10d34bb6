"""Portfolios by forecast: quantile returns, long-short and long-only books, and costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.decompose.estimates import estimates
from foldproof.tasks.decompose.prices import Closes
from foldproof.tasks.decompose.ranked import Ranked
from foldproof.tasks.portfolio.autocorrelation import rank_autocorrelation
from foldproof.tasks.portfolio.monotonicity import monotonic_p
from foldproof.tasks.portfolio.performance import (
    annual_return,
    break_even,
    by_cost,
    drawdown,
    sharpe,
    volatility,
)
from foldproof.tasks.portfolio.quantiles import quantile_weights
from foldproof.tasks.portfolio.spec import PortfolioSpec
from foldproof.tasks.portfolio.tranches import Holdings, invested, profits, traded
from foldproof.tasks.statistics.mean_test import dates_needed

LONG_SHORT, LONG_ONLY = "long-short", "long-only"
"""The books: top less bottom quantile; top quantile less all stocks with equal weights."""
LEGS = {LONG_SHORT: 2, LONG_ONLY: 1}


@dataclass(frozen=True, eq=False)
class Portfolios:
    """What portfolios by forecast would have earned: a diagnostic, not a backtest of a strategy.

    Not in it: borrowing fees, limits, market impact, taxes, and stocks that the panel lacks.
    Profits are per unit of notional of one leg and not reinvested. The long-only book is measured
    against all stocks with equal weights, held in the same tranches and free of costs.

    Attributes:
        table: By row and book: annual_return and its interval low, high, volatility, sharpe,
            drawdown, all before costs; turnover, the share of a leg that is replaced in a day;
            break_even, the cost in basis points of each trade that takes all profit.
        costs: row, book, cost, annual_return, volatility, sharpe, drawdown after each cost.
        quantiles: row, quantile from 1 for the lowest forecasts, annual_return less that of all
            stocks.
        monotonic: By row: p-value of quantile returns that do not rise throughout; rank
            autocorrelation after one day (autocorrelation_1) and after the horizon
            (autocorrelation_h).
        profits: Daily profit of the long-short book before costs, dates x rows.
        trades: Value traded by it on each date, dates x rows.
        count: Number of quantiles.
        horizon: Days that a tranche is held.
        unfilled: Forecasts of stocks that had no price at the next close.
        paid_out: Stocks and tranches that ended because the stock had no price any more.
    """

    table: pd.DataFrame
    costs: pd.DataFrame
    quantiles: pd.DataFrame
    monotonic: pd.DataFrame
    profits: pd.DataFrame
    trades: pd.DataFrame
    count: int
    horizon: int
    unfilled: int
    paid_out: int


def simulate(
    ranked: Ranked,
    closes: Closes,
    rows: np.ndarray,
    columns: np.ndarray,
    dates: np.ndarray,
    horizon: int,
    *,
    delisting_return: float = 0.0,
    statistics: StatisticsSpec = StatisticsSpec(),  # noqa: B008  # frozen
    spec: PortfolioSpec = PortfolioSpec(),  # noqa: B008  # frozen
) -> Portfolios | None:
    """Books of every row of forecasts.

    A forecast of date d is traded at close d + 1 and sold at close d + 1 + ``horizon``.

    Args:
        ranked: Forecasts of N rows on D dates; they need no label.
        closes: Prices of the whole panel.
        rows: (D,) rows of the panel with these dates.
        columns: Columns of the panel with the symbols of ``ranked``.
        dates: All dates of the panel.
        horizon: Days that a tranche is held.
        delisting_return: Return from the last close of a stock that never trades again; Shumway
            (1997) finds -0.3 for stocks that an exchange removed.
        statistics: Level, draws and seed.
        spec: Quantiles and costs.

    Returns:
        None if there are too few days on which all tranches are live.
    """
    close = closes.carried[:, columns], closes.quoted[:, columns]
    holdings = Holdings(*close, horizon, delisting_return)
    opened = np.zeros(len(dates), bool)
    opens = rows[rows + 1 < len(dates)] + 1
    opened[opens] = True
    days = invested(opened, horizon)
    if days.sum() < dates_needed(horizon):
        return None
    count = spec.cut(float(np.median(ranked.cells.sum(axis=1))))
    cells = ranked.cells[: len(opens)]
    market_weights = at_rows(cells / np.maximum(cells.sum(axis=1, keepdims=True), 1), opens, dates)
    market = profits(holdings, market_weights[None])[0, days]
    parts = [
        books_of(holdings, at_rows(quantile_weights(one[: len(opens)], count), opens, dates), days)
        for one in map(ranked.row, range(len(ranked.names)))
    ]
    by_quantile, long_short, top = (np.stack(each) for each in zip(*parts, strict=True))
    trades = {LONG_SHORT: long_short, LONG_ONLY: top}
    gross = {
        LONG_SHORT: by_quantile[:, -1] - by_quantile[:, 0],
        LONG_ONLY: by_quantile[:, -1] - market,
    }
    index = pd.Index(dates[days], name="date")
    lags = {"autocorrelation_1": 1, "autocorrelation_h": horizon}
    p = monotonic_p(by_quantile, horizon, draws=statistics.draws, seed=statistics.seed)
    return Portfolios(
        table=performance_table(ranked.names, gross, trades, horizon, statistics.level),
        costs=cost_table(ranked.names, gross, trades, spec.costs),
        quantiles=quantile_table(ranked.names, by_quantile - market),
        monotonic=pd.DataFrame(
            {"p": p, **{k: rank_autocorrelation(ranked, rows, lag) for k, lag in lags.items()}},
            index=pd.Index(ranked.names, name="row"),
        ),
        profits=pd.DataFrame(gross[LONG_SHORT].T, index=index, columns=ranked.names),
        trades=pd.DataFrame(trades[LONG_SHORT].T, index=index, columns=ranked.names),
        count=count,
        horizon=horizon,
        unfilled=int((market_weights[opens] > 0)[~np.isfinite(holdings.quoted[opens])].sum()),
        paid_out=paid_out(holdings, market_weights > 0),
    )


def at_rows(weights: np.ndarray, opens: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Weights (..., D, S) of forecast dates at their opening closes, for all dates of the panel."""
    found = np.zeros((*weights.shape[:-2], len(dates), weights.shape[-1]))
    found[..., opens, :] = weights
    return found


def books_of(
    holdings: Holdings, weights: np.ndarray, days: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Daily profits of the quantiles (Q, D), trades of the long-short and of the top book (D,)."""
    books = np.stack([weights[-1] - weights[0], weights[-1]])
    trades = traded(holdings, books)[:, days]
    return profits(holdings, weights)[:, days], trades[0], trades[1]


def performance_table(
    names: Sequence[str],
    gross: dict[str, np.ndarray],
    trades: dict[str, np.ndarray],
    horizon: int,
    level: float,
) -> pd.DataFrame:
    """The figures of each row and book before costs."""
    entries = []
    for book, daily in gross.items():
        spans = estimates(daily.T, horizon, level)
        for place, name in enumerate(names):
            own, sold = daily[place], trades[book][place]
            entries.append({
                "row": name, "book": book, "annual_return": annual_return(own),
                "low": 252 * spans["low"][place], "high": 252 * spans["high"][place],
                "volatility": volatility(own), "sharpe": sharpe(own), "drawdown": drawdown(own),
                "turnover": float(sold.mean()) / 2 / LEGS[book],
                "break_even": break_even(own, sold),
            })  # fmt: skip
    return pd.DataFrame(entries)


def cost_table(
    names: Sequence[str],
    gross: dict[str, np.ndarray],
    trades: dict[str, np.ndarray],
    costs: Sequence[float],
) -> pd.DataFrame:
    """The figures of each row and book after each cost."""
    parts = [
        by_cost(daily[place], trades[book][place], costs).assign(row=name, book=book)
        for book, daily in gross.items()
        for place, name in enumerate(names)
    ]
    return pd.concat(parts, ignore_index=True).set_index(["row", "book"]).reset_index()


def quantile_table(names: Sequence[str], excess: np.ndarray) -> pd.DataFrame:
    """Annual return of each quantile (N, Q, D) above that of all stocks."""
    count = excess.shape[1]
    mean = 252 * excess.mean(axis=2)
    return pd.DataFrame({
        "row": np.repeat(np.array(names, dtype=object), count),
        "quantile": np.tile(np.arange(1, count + 1), len(names)),
        "annual_return": mean.ravel(),
    })  # fmt: skip


def paid_out(holdings: Holdings, held: np.ndarray) -> int:
    """Stocks and tranches whose stock had no price any more before the tranche ended."""
    *_, (_, _, _, alive) = holdings.steps()
    return int((held & np.isfinite(holdings.quoted) & ~alive).sum())
