"""Figures of the comparison: who forecasts best, with its interval; by fold; over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.report.results import Results, is_reference, is_true, label
from foldproof.tasks.report.style import (  # fmt: skip
    BLUE,
    FAINT,
    INK,
    MUTED,
    PAPER,
    SMALL,
    VERMILLION,
    canvas,
    describe,
    grid,
    readable_on,
    spread,
)


@dataclass(frozen=True)
class Kind:
    """How a row of the ranking is drawn, and what that means."""

    meaning: str
    color: str
    marker: str
    filled: bool = True


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "kept": Kind("LSTM, cannot be ruled out as the best", BLUE, "o"),
        "ruled out": Kind("LSTM, ruled out as the best", BLUE, "o", filled=False),
        "leak": Kind("sees the future: no candidate", VERMILLION, "X"),
        "reference": Kind("reference without an LSTM", MUTED, "D", filled=False),
    }
)


def kind_of(results: Results, name: str) -> str:
    """Key of ``KINDS`` for a row of the ranking."""
    if is_reference(name):
        return "reference"
    if results.is_control(name) or results.verdicts.get(name) is Verdict.LEAK:
        return "leak"
    return "kept" if is_true(results.ranking.at[name, "in_confidence_set"]) else "ruled out"


def ranking_figure(results: Results) -> Figure:
    """Mean daily rank IC of every variant and reference with its simultaneous interval."""
    table = results.ranking
    figure, axes = canvas(1.1 + 0.3 * len(table))
    axis = axes[0, 0]
    kinds = [kind_of(results, name) for name in table.index]
    for row, (key, (_, entry)) in enumerate(zip(kinds, table.iterrows(), strict=True)):
        _interval(axis, row, entry, KINDS[key])
    axis.axvline(0, color=INK, linewidth=0.9)
    _name_rows(axis, results, list(table.index))
    _write_column(
        axis, 10, "rank IC [interval]", [str(results.rank_ic(name)) for name in table.index]
    )
    _write_column(axis, 160, "audit", [results.verdict(name) for name in table.index])
    describe(axis, x="mean daily rank IC (Spearman, out of sample)")
    grid(axis)
    _legend(figure, [KINDS[key] for key in KINDS if key in kinds])
    return figure


def _interval(axis: Axes, row: int, entry: pd.Series, kind: Kind) -> None:
    """One row of the forest: a line from low to high and a marker at the estimate."""
    axis.plot([entry["low"], entry["high"]], [row, row], color=kind.color, linewidth=1.8, alpha=0.6)
    axis.plot(entry["rank_ic"], row, **_mark(kind))


def _mark(kind: Kind) -> dict[str, Any]:
    face = kind.color if kind.filled else PAPER
    return {
        "color": kind.color, "marker": kind.marker, "markerfacecolor": face, "markersize": 7,
        "linestyle": "none",
    }  # fmt: skip


def _legend(figure: Figure, kinds: list[Kind]) -> None:
    """What the marks mean, in the order of ``KINDS``."""
    marks = [Line2D([], [], label=kind.meaning, **_mark(kind)) for kind in kinds]
    figure.legend(
        handles=marks, loc="outside upper left", ncols=len(marks), fontsize=SMALL, frameon=False,
        labelcolor=INK,
    )  # fmt: skip


def _name_rows(axis: Axes, results: Results, names: list[str]) -> None:
    """Names at the left, the first row on top; what leaks stands out, references recede."""
    axis.set_yticks(range(len(names)), [_row_name(results, name) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)
    for text, name in zip(axis.get_yticklabels(), names, strict=True):
        kind = kind_of(results, name)
        text.set_color({"leak": VERMILLION, "reference": MUTED}.get(kind, INK))


def _row_name(results: Results, name: str) -> str:
    return f"{label(name)} (control)" if results.is_control(name) else label(name)


def _write_column(axis: Axes, points: float, head: str, cells: list[str]) -> None:
    """A column of text beside the rows, ``points`` right of the axis."""
    for row, cell in enumerate([head, *cells], start=-1):
        color = MUTED if row < 0 else VERMILLION if cell == Verdict.LEAK else INK
        axis.annotate(
            cell, (1, row), (points, 0), xycoords=axis.get_yaxis_transform(),
            textcoords="offset points", color=color, fontsize=SMALL, va="center",
            annotation_clip=False,
        )  # fmt: skip


def rank_ic_by_fold(results: Results) -> Figure:
    """Rank IC of every variant (rows) on every fold (columns), in figures and colour."""
    table = results.comparison.by_fold.pivot(index="variant", columns="fold", values="rank_ic")
    table = table.reindex(results.ranking.index)
    figure, axes = canvas(0.9 + 0.29 * len(table))
    axis = axes[0, 0]
    limit = float(np.nanquantile(np.abs(table.to_numpy()), 0.95)) or 1.0
    image = axis.imshow(table, cmap="RdBu", norm=Normalize(-limit, limit), aspect="auto")
    if table.shape[1] <= 16:
        _write_cells(axis, image, table)
    _name_rows(axis, results, list(table.index))
    axis.set_xticks(range(table.shape[1]), [_test_period(results, int(f)) for f in table.columns])
    axis.spines["bottom"].set_visible(False)
    describe(axis, x="fold and first month of its test block")
    bar = figure.colorbar(image, ax=axis, fraction=0.025, pad=0.01, extend="both")
    bar.ax.tick_params(labelsize=SMALL, length=0)
    bar.outline.set_visible(False)
    return figure


def _write_cells(axis: Axes, image: AxesImage, table: pd.DataFrame) -> None:
    """The figures of a heat map, in ink or paper, whichever reads."""
    colors = np.asarray(image.to_rgba(table.to_numpy()))
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        known = bool(np.isfinite(value))
        ink = readable_on(*colors[row, column, :3]) if known else MUTED
        text = f"{value:+.3f}".replace("-", "\N{MINUS SIGN}") if known else "–"
        axis.text(column, row, text, color=ink, fontsize=SMALL, ha="center", va="center")


def _test_period(results: Results, number: int) -> str:
    fold = next(fold for fold in results.folds if fold.number == number)
    return f"{number}\n{str(fold.test_dates[0])[:7]}"


def rank_ic_cumulated(results: Results) -> Figure:
    """Running sum of the daily rank IC; a straight line is a forecast that works steadily."""
    running = results.comparison.daily.fillna(0.0).cumsum()
    figure, axes = canvas(5.2)
    axis = axes[0, 0]
    named = _worth_naming(results, running)
    for name in running.columns:
        color = _line_color(results, name, name in named)
        front = name in named
        axis.plot(
            running.index, running[name], color=color, linewidth=1.8 if front else 0.8,
            linestyle="--" if is_reference(name) else "-", zorder=3 if front else 2,
        )  # fmt: skip
    for fold in results.folds:
        axis.axvline(fold.test_dates[0], color=FAINT, linewidth=0.7, zorder=1)
    axis.axhline(0, color=INK, linewidth=0.9)
    _name_lines(axis, results, running[named])
    describe(axis, x="date (vertical lines: a fold's test block begins)", y="sum of daily rank IC")
    grid(axis, "y")
    return figure


def _worth_naming(results: Results, running: pd.DataFrame) -> list[str]:
    """The three best candidates, the plain network, what leaks, the best reference."""
    leaks = [name for name in results.variants if kind_of(results, name) == "leak"]
    names = [*results.candidates[:3], "none", *leaks, *results.references[:1]]
    return [name for name in dict.fromkeys(names) if name in running.columns]


def _line_color(results: Results, name: str, front: bool) -> str:
    if not front:
        return "#b9c2cd"
    kind = kind_of(results, name)
    if kind in ("leak", "reference"):
        return KINDS[kind].color
    return INK if name == "none" else BLUE


def _name_lines(axis: Axes, results: Results, running: pd.DataFrame) -> None:
    """Each line's name at its end instead of a legend, moved apart where they would collide."""
    low, high = axis.get_ylim()
    ends = spread(running.iloc[-1].tolist(), gap=(high - low) / 24)
    for name, end in zip(running.columns, ends, strict=True):
        axis.annotate(
            _row_name(results, name), (1.005, end), xycoords=axis.get_yaxis_transform(),
            color=_line_color(results, name, True), fontsize=SMALL, va="center",
        )  # fmt: skip
    axis.margins(x=0.005)
