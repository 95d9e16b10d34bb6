"""The table of portfolios, and what the report says about the best candidate's."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from foldproof.tasks.portfolio.portfolio import LONG_ONLY, LONG_SHORT, Portfolios
from foldproof.tasks.report.decomposition.rows import shown_rows
from foldproof.tasks.report.results import Results, entries
from foldproof.tasks.report.text import number

SPACE = "\N{NO-BREAK SPACE}"


class Head(NamedTuple):
    """Title of a column and its meaning."""

    title: str
    meaning: str


def heads(found: Portfolios) -> list[Head]:
    """The columns of the table."""
    costs = dict.fromkeys(found.costs["cost"])
    ratios = [
        Head(f"Sharpe, {cost:g}{SPACE}bp", "Annual return over volatility after this cost.")
        for cost in costs
    ]
    active = [
        Head(f"long-only, {cost:g}{SPACE}bp", "Information ratio of the top quantile against all "
             "stocks with equal weights, after this cost of a trade.")
        for cost in long_only_costs(found)
    ]  # fmt: skip
    return [
        Head("return [interval]", "Annual return of top less bottom quantile per unit of a leg, "
             "before costs and not compounded; the interval is by itself."),
        *ratios,
        Head("break-even", "Cost of a trade in basis points of its value that takes all profit."),
        Head("turnover", "Share of each leg that is replaced in a day."),
        Head("drawdown", "Largest loss from a peak of the summed profit, in units of a leg."),
        Head("auto- correlation", "Mean rank correlation of the forecasts of two successive days; "
             "in brackets, of two dates one horizon apart."),
        Head("not rising, p", "p-value of quantile returns that do not rise at every step (Patton "
             "and Timmermann 2010)."),
        *active,
    ]  # fmt: skip


def long_only_costs(found: Portfolios) -> list[float]:
    """The two lowest costs."""
    return sorted(found.costs["cost"].unique().tolist())[:2]


def portfolio_table(results: Results) -> list[tuple[str, list[str]]]:
    """Rows of the table: name, and a cell for each of :func:`heads`."""
    found = results.portfolios
    if found is None or results.decomposition is None:
        return []
    return [
        (results.row_name(name), cells(found, name))
        for name in shown_rows(results, results.decomposition)
    ]


def long_short(found: Portfolios) -> pd.DataFrame:
    """Figures of the long-short books, by row."""
    return found.table[found.table["book"] == LONG_SHORT].set_index("row")


def cells(found: Portfolios, name: str) -> list[str]:
    """The cells of one row."""
    books = long_short(found)
    mean, low, high = map(percent, entries(books, name, "annual_return", "low", "high"))
    risk, cost, turnover, loss = entries(
        books, name, "volatility", "break_even", "turnover", "drawdown"
    )
    next_day, horizon, p = entries(
        found.monotonic, name, "autocorrelation_1", "autocorrelation_h", "p"
    )
    return [
        f"{mean} [{low}, {high}]" if risk > 0 else "–",
        *sharpes(found, name, LONG_SHORT, list(dict.fromkeys(found.costs["cost"]))),
        f"{number(cost, '.1f')} bp" if cost > 0 else "–",
        number(turnover, ".1%"),
        number(loss, ".0%"),
        f"{number(next_day, '+.2f')} [{number(horizon, '+.2f')}]",
        number(p, ".2f"),
        *sharpes(found, name, LONG_ONLY, long_only_costs(found)),
    ]


def sharpes(found: Portfolios, name: str, book: str, costs: Sequence[float]) -> list[str]:
    """The ratios of a book at these costs."""
    own = found.costs[(found.costs["row"] == name) & (found.costs["book"] == book)]
    by_cost = own.set_index("cost")["sharpe"]
    return [number(by_cost[cost], "+.2f") for cost in costs]


def percent(value: float) -> str:
    """A share in percent with its sign; a dash for NaN."""
    return number(value, "+.1%")


def pays_clause(results: Results) -> str:
    """At which cost the best candidate's long-short book earns nothing, as a clause."""
    found = results.portfolios
    if found is None or not results.candidates:
        return ""
    best = results.candidates[0]
    mean, cost = entries(long_short(found), best, "annual_return", "break_even")
    if not mean > 0:
        return "; its long-short portfolio loses even before costs"
    return f"; its long-short portfolio breaks even at {cost:.0f} bp a trade"
