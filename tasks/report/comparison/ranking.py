"""Figures of the comparison: rank IC with intervals, by fold, and over time."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.report import style
from foldproof.tasks.report.kinds import KINDS, kind_of
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import is_reference

BACKGROUND = "#b9c2cd"
"""Lines without a name."""


def ranking_figure(results: Results) -> Figure:
    """Mean daily rank IC of every variant and reference with its joint interval."""
    table = results.ranking
    figure, axis = style.one_axis(1.1 + 0.3 * len(table))
    kinds = [kind_of(results, name) for name in table.index]
    for row, (key, (_, entry)) in enumerate(zip(kinds, table.iterrows(), strict=True)):
        kind = KINDS[key]
        ends = [entry["low"], entry["high"]]
        axis.plot(ends, [row, row], color=kind.color, linewidth=1.8, alpha=0.6)
        axis.plot(entry["rank_ic"], row, **kind.mark)
    axis.axvline(0, color=style.INK, linewidth=0.9)
    _name_rows(axis, results, list(table.index))
    intervals = [str(results.rank_ic(name)) for name in table.index]
    _write_column(axis, 10, "rank IC [joint interval]", intervals)
    _write_column(axis, 160, "leak audit", [results.verdict(name) for name in table.index])
    style.describe(axis, x="mean daily rank IC (Spearman, out of sample)")
    style.grid(axis)
    shown = [kind for key, kind in KINDS.items() if key in kinds]
    marks = [Line2D([], [], label=kind.meaning, **kind.mark) for kind in shown]
    style.legend_above(figure, marks)
    return figure


def _name_rows(axis: Axes, results: Results, names: list[str]) -> None:
    """Names at the left, coloured by kind."""
    colors = [_color(results, name, style.INK) for name in names]
    style.name_rows(axis, [results.row_name(name) for name in names], colors)


def _color(results: Results, name: str, usual: str) -> str:
    """The colour of what leaks and of a reference; ``usual`` for any other row."""
    kind = kind_of(results, name)
    return KINDS[kind].color if kind in ("leak", "reference") else usual


def _write_column(axis: Axes, points: float, head: str, cells: list[str]) -> None:
    """A column of text beside the rows, ``points`` right of the axis."""
    for row, cell in enumerate([head, *cells], start=-1):
        color = style.VERMILLION if cell == Verdict.LEAK else style.INK
        axis.annotate(
            cell, (1, row), (points, 0), xycoords=axis.get_yaxis_transform(),
            textcoords="offset points", color=style.MUTED if row < 0 else color,
            fontsize=style.SMALL, va="center", annotation_clip=False,
        )  # fmt: skip


def rank_ic_by_fold(results: Results) -> Figure:
    """Rank IC of every variant (rows) on every fold (columns), as numbers and colours."""
    table = results.comparison.by_fold.pivot(index="variant", columns="fold", values="rank_ic")
    table = table.reindex(results.ranking.index)
    figure, axis = style.one_axis(0.9 + 0.29 * len(table))
    limit = float(np.nanquantile(np.abs(table.to_numpy()), 0.95)) or 1.0
    form = "+.3f" if table.shape[1] <= 16 else ""
    image = style.heat_map(axis, table, "RdBu", (-limit, limit), form)
    _name_rows(axis, results, list(table.index))
    starts = {fold.number: str(fold.test_dates[0])[:7] for fold in results.folds}
    axis.set_xticks(range(table.shape[1]), [f"{n}\n{starts[n]}" for n in map(int, table.columns)])
    style.describe(axis, x="fold and first month of its test block")
    style.colour_scale(axis, image, extend="both")
    return figure


def rank_ic_cumulated(results: Results) -> Figure:
    """Running sum of the daily rank IC; a straight line means steady skill."""
    running = results.comparison.daily.fillna(0.0).cumsum()
    figure, axis = style.one_axis(5.2)
    named = _named(results, list(running.columns))
    for name in running.columns:
        front = name in named
        axis.plot(
            running.index, running[name], color=named.get(name, BACKGROUND),
            linewidth=1.8 if front else 0.8, linestyle="--" if is_reference(name) else "-",
            zorder=3 if front else 2,
        )  # fmt: skip
    for fold in results.folds:
        axis.axvline(fold.test_dates[0], color=style.FAINT, linewidth=0.7, zorder=1)
    axis.axhline(0, color=style.INK, linewidth=0.9)
    low, high = axis.get_ylim()
    ends = style.spread(running[list(named)].iloc[-1].tolist(), gap=(high - low) / 24)
    for (name, color), end in zip(named.items(), ends, strict=True):
        axis.annotate(
            results.row_name(name), (1.005, end), xycoords=axis.get_yaxis_transform(),
            color=color, fontsize=style.SMALL, va="center",
        )  # fmt: skip
    axis.margins(x=0.005)
    style.describe(axis, x="date (vertical lines: start of a test block)", y="sum of daily rank IC")
    style.grid(axis, "y")
    return figure


def _named(results: Results, drawn: list[str]) -> dict[str, str]:
    """Lines with a name, and their colours.

    These are the three best candidates, the base, what leaks, and the best reference.
    """
    leaks = [name for name in results.variants if kind_of(results, name) == "leak"]
    names = [*results.candidates[:3], results.base, *leaks, *results.references[:1]]
    colors = {}
    for name in dict.fromkeys(names):
        if name in drawn:
            usual = style.INK if name == results.base else style.BLUE
            colors[name] = _color(results, name, usual)
    return colors
