"""Figures of the portfolios: quantile returns, profit over time, Sharpe ratio by cost."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from foldproof.tasks.portfolio.performance import net
from foldproof.tasks.portfolio.portfolio import LONG_SHORT, Portfolios
from foldproof.tasks.report import style
from foldproof.tasks.report.decomposition.figures import COLOURS
from foldproof.tasks.report.decomposition.rows import front_rows
from foldproof.tasks.report.results import Results, entries
from foldproof.tasks.report.text import label, minus, number


def drawn(results: Results) -> tuple[Portfolios, list[str]]:
    """The portfolios and the rows that are drawn; figures are drawn only where there are any."""
    assert results.portfolios is not None
    assert results.decomposition is not None
    return results.portfolios, front_rows(results, results.decomposition)


def quantiles_figure(results: Results) -> Figure:
    """Annual return of each quantile above that of all stocks: a panel per row."""
    found, rows = drawn(results)
    figure, axes = style.canvas(3.2, 1, len(rows), sharey=True)
    for axis, name, color in zip(axes[0], rows, COLOURS, strict=False):
        own = found.quantiles[found.quantiles["row"] == name]
        axis.bar(own["quantile"], own["annual_return"], color=color, width=0.72)
        axis.axhline(0, color=style.INK, linewidth=0.9)
        axis.set_xticks(own["quantile"])
        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        (p,) = entries(found.monotonic, name, "p")
        style.describe(axis, label(name), x=f"quantile; not rising: p = {number(p, '.2f')}")
        style.grid(axis, "y")
    axes[0, 0].set_ylabel("annual return above all", fontsize=style.NORMAL, color=style.MUTED)
    return figure


def profit_figure(results: Results) -> Figure:
    """Left: summed profit of the long-short books, before (solid) and after costs (dotted)."""
    found, rows = drawn(results)
    cost = shown_cost(found)
    figure, axes = style.canvas(4.4, 2, 2, heights=(2.4, 1), widths=(2.2, 1))
    top, bottom = axes[:, 0]
    for name, color in zip(rows, COLOURS, strict=False):
        gross = found.profits[name].to_numpy()
        left = net(gross, found.trades[name].to_numpy(), cost)
        top.plot(found.profits.index, np.cumsum(gross), color=color, linewidth=1.4,
                 label=label(name))  # fmt: skip
        top.plot(found.profits.index, np.cumsum(left), color=color, linewidth=0.9, linestyle=":")
    curve = np.cumsum(
        net(found.profits[rows[0]].to_numpy(), found.trades[rows[0]].to_numpy(), cost)
    )
    under = curve - np.maximum.accumulate(np.maximum(curve, 0))
    bottom.fill_between(found.profits.index, under, 0, color=COLOURS[0], alpha=0.5, linewidth=0)
    for axis in (top, bottom):
        axis.axhline(0, color=style.INK, linewidth=0.9)
        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        style.grid(axis, "y")
    style.describe(top, f"Summed profit: before costs, dotted after {cost:g} bp a trade")
    style.describe(bottom, f"Drawdown of {label(rows[0])} after {cost:g} bp")
    _sharpe_by_cost(axes[0, 1], found, rows)
    axes[1, 1].set_visible(False)
    style.legend_above(figure, top.get_legend_handles_labels()[0])
    return figure


def _sharpe_by_cost(axis: Axes, found: Portfolios, rows: list[str]) -> None:
    """Sharpe ratio of the long-short books by cost."""
    table = found.costs[found.costs["book"] == LONG_SHORT]
    for name, color in zip(rows, COLOURS, strict=False):
        own = table[table["row"] == name].sort_values("cost")
        axis.plot(own["cost"], own["sharpe"], "o-", color=color, markersize=4)
    axis.axhline(0, color=style.INK, linewidth=0.9)
    axis.yaxis.set_major_formatter(lambda value, _: minus(f"{value:.1f}"))
    style.describe(axis, "Sharpe ratio by cost", x="cost of a trade in basis points")
    style.grid(axis, "y")


def shown_cost(found: Portfolios) -> float:
    """The lowest cost above zero; 0 if there is none."""
    costs = found.costs.loc[found.costs["cost"] > 0, "cost"]
    return float(costs.min()) if len(costs) else 0.0
