"""Figures of the decomposition: styles, regimes, horizons and delays, months."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foldproof.tasks.decompose.decompose import Decomposition
from foldproof.tasks.report import style
from foldproof.tasks.report.decomposition.rows import front_rows, neutral, shown_rows
from foldproof.tasks.report.kinds import KINDS, kind_of
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import is_reference, label

COLOURS = (style.BLUE, style.INK, style.MUTED, style.ORANGE)
"""Colours of the rows that curves are drawn for, in their order."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def found_in(results: Results) -> Decomposition:
    """The decomposition; figures are drawn only where there is one."""
    assert results.decomposition is not None
    return results.decomposition


def styles_figure(results: Results) -> Figure:
    """Left: rank IC before and after neutralization. Right: exposure to each style, if any."""
    found = found_in(results)
    rows = shown_rows(results, found)
    colors = [row_color(results, name) for name in rows]
    widths = (1.35, 1)[: 1 + bool(found.styles)]
    height = 1.3 + 0.3 * len(rows)
    figure, axes = style.canvas(height, 1, len(widths), widths=widths, sharey=True)
    left = axes[0, 0]
    table = found.table.loc[rows]
    for place, (name, color) in enumerate(zip(rows, colors, strict=True)):
        rest = neutral(found, name)
        left.plot([rest.low, rest.high], [place, place], color=color, linewidth=1.8, alpha=0.5)
        left.plot(
            table["rank_ic"].iloc[place], place, "o", color=color, markerfacecolor=style.PAPER
        )
        left.plot(rest.value, place, "o", color=color)
    left.axvline(0, color=style.INK, linewidth=0.9)
    style.describe(left, "Rank IC: all (open), neutral (filled)", x="mean daily rank IC")
    style.grid(left)
    if found.styles:
        draw_exposures(axes[0, 1], table, found.styles)
    style.name_rows(left, [results.row_name(name) for name in rows], colors)
    return figure


def draw_exposures(axis: Axes, table: pd.DataFrame, styles: Sequence[str]) -> None:
    """The mean rank correlation of each row with each style."""
    exposures = table[[f"exposure:{name}" for name in styles]]
    image = style.heat_map(axis, exposures, "RdBu", (-1, 1), "+.2f")
    axis.set_xticks(range(len(styles)), [name.replace("_", "\n", 1) for name in styles])
    style.describe(axis, "Exposure", x="mean rank correlation with the column")
    style.colour_scale(axis, image, fraction=0.04, pad=0.02)


def row_color(results: Results, name: str) -> str:
    """The colour of a row in the ranking; the ensemble and features look like a reference."""
    if is_reference(name):
        return KINDS["reference"].color
    return KINDS[kind_of(results, name)].color


def decay_figure(results: Results) -> Figure:
    """Left: the same forecasts on returns over other horizons. Right: used after a delay."""
    found = found_in(results)
    horizon = int(results.config.get("target", {}).get("horizon", 1))
    figure, axes = style.canvas(3.6, 1, 2, sharey=True)
    decay, rows = found.decay, front_rows(results, found)
    parts = (
        (decay[decay["delay"] == 0], "horizon", "By horizon", "trading days of the return"),
        (decay[decay["horizon"] == horizon], "delay", "By delay", "trading days until use"),
    )
    for axis, (table, column, title, x) in zip(axes[0], parts, strict=True):
        values = sorted(table[column].unique())
        _points(axis, table.assign(place=table[column].map(values.index)), rows, 0.06, joined=True)
        axis.set_xticks(range(len(values)), [str(value) for value in values])
        style.describe(axis, title, x=x, y="mean rank IC" if column == "horizon" else "")
    style.legend_above(figure, axes[0, 0].get_legend_handles_labels()[0])
    return figure


def regimes_figure(results: Results) -> Figure:
    """Rank IC by market volatility, by half and by year, where there are dates enough to tell."""
    found = found_in(results)
    table = found.regimes.dropna(subset=["low"])
    kinds = list(dict.fromkeys(table["kind"]))
    widths = [table.loc[table["kind"] == kind, "regime"].nunique() + 1.5 for kind in kinds]
    figure, axes = style.canvas(3.6, 1, max(1, len(kinds)), widths=widths or None)
    rows = front_rows(results, found)
    for axis, kind in zip(axes[0], kinds, strict=False):
        own = table[table["kind"] == kind]
        names = list(dict.fromkeys(own["regime"]))
        _points(axis, own.assign(place=own["regime"].map(names.index)), rows, 0.16, joined=False)
        axis.set_xticks(range(len(names)), [f"'{n[2:]}" if kind == "year" else n for n in names])
        style.describe(axis, f"By {kind}", y="mean rank IC" if kind == kinds[0] else "")
    style.legend_above(figure, axes[0, 0].get_legend_handles_labels()[0])
    return figure


def _points(
    axis: Axes, table: pd.DataFrame, rows: Sequence[str], apart: float, *, joined: bool
) -> None:
    """Rank ICs with intervals at the column ``place``, rows beside each other in their colours."""
    for number, (name, color) in enumerate(zip(rows, COLOURS, strict=False)):
        own = table[table["row"] == name].sort_values("place")
        at = own["place"] + apart * (number - (len(rows) - 1) / 2)
        look = "o-" if joined else "o"
        axis.plot(at, own["rank_ic"], look, color=color, markersize=4, label=label(name))
        axis.vlines(at, own["low"], own["high"], color=color, linewidth=1.0, alpha=0.45)
    axis.axhline(0, color=style.INK, linewidth=0.9)
    style.grid(axis, "y")


def monthly_figure(results: Results) -> Figure:
    """Mean rank IC of the best candidate in each month."""
    name = (results.candidates or list(results.ranking.index))[0]
    daily = results.comparison.daily[name]
    month = pd.DatetimeIndex(daily.index)
    table = daily.groupby([month.year, month.month]).mean().unstack().reindex(columns=range(1, 13))
    figure, axis = style.one_axis(1.0 + 0.27 * len(table))
    limit = float(np.nanquantile(np.abs(table.to_numpy()), 0.95)) or 1.0
    image = style.heat_map(axis, table, "RdBu", (-limit, limit), "+.2f")
    style.name_rows(axis, [str(year) for year in table.index])
    axis.set_xticks(range(12), MONTHS)
    share = float((table.to_numpy()[np.isfinite(table.to_numpy())] > 0).mean())
    style.describe(axis, f"{label(name)}: above zero in {share:.0%} of months")
    style.colour_scale(axis, image, extend="both")
    return figure
