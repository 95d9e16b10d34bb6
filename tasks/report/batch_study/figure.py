"""The figure of the study: honest and train-mode rank IC by batch composition and normalization."""

from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from foldproof.models.normalizers import resolve
from foldproof.tasks.report import style
from foldproof.tasks.report.batch_study.results import StudyResults

SCORES = {
    "train_mode_dates": ("train mode, one date per batch", style.ORANGE, "d", 4.0),
    "train_mode": ("train mode, batches as in training", style.VERMILLION, "X", 6.0),
    "honest": ("honest: eval mode, day by day", style.BLUE, "o", 5.0),
}
"""Columns of the table with title, colour, marker and size; the last is drawn on top."""


def batch_norm_figure(results: StudyResults) -> Figure:
    """A row per panel, a column per normalization, a line per batch composition."""
    rows, columns = len(results.panels), len(results.normalizations)
    height = 1.1 + rows * (0.6 + 0.19 * len(results.compositions))
    figure, axes = style.canvas(height, rows, columns, sharex=True, sharey=True)
    for row, (panel, about) in enumerate(results.panels.items()):
        for column, normalization in enumerate(results.normalizations):
            _cells(axes[row, column], results, panel, normalization)
        known = "" if about.truth is None else f"\ntrue rank IC {about.truth:.2f}"
        axes[row, 0].annotate(
            fill(about.title, 26) + known, (0, 1), (-12, 4), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="bottom", fontsize=style.SMALL,
            color=style.INK, fontweight="bold",
        )  # fmt: skip
    for axis, normalization in zip(axes[0], results.normalizations, strict=True):
        title = fill(resolve(normalization).title, 20)
        axis.set_title(title, fontsize=style.SMALL, color=style.INK, loc="left")
    style.name_rows(axes[0, 0], results.compositions)
    note = (
        f"Mean daily rank IC on the test block: mean and {results.level:.0%} interval over "
        f"{results.seeds} seeds. Dotted: the true rank IC. Not trained: impossible with these "
        "batches."
    )
    figure.supxlabel(note, fontsize=style.SMALL, color=style.MUTED)
    marks = [
        Line2D([], [], color=color, marker=marker, markersize=7, linestyle="none", label=label)
        for label, color, marker, _ in reversed(SCORES.values())
    ]
    style.legend_above(figure, marks, fontsize=style.NORMAL)
    return figure


def _cells(axis: Axes, results: StudyResults, panel: str, normalization: str) -> None:
    """One small panel: every composition with its three scores."""
    truth = results.panels[panel].truth
    axis.axvline(0, color=style.INK, linewidth=0.8, zorder=1)
    if truth:
        axis.axvline(truth, color=style.MUTED, linewidth=0.9, linestyle=":", zorder=1)
    for place, composition in enumerate(results.compositions):
        cell = results.cell(panel, normalization, composition)
        if cell is None:
            axis.text(
                0.01, place, "not trained", color=style.MUTED, fontsize=style.SMALL - 2,
                va="center", bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.5},
            )  # fmt: skip
        else:
            _marks(axis, place, cell)
    style.grid(axis)


def _marks(axis: Axes, place: int, cell: pd.Series) -> None:
    """The three scores of a cell, with intervals."""
    for name, (_, color, marker, size) in SCORES.items():
        ends = [cell[f"{name}_low"], cell[f"{name}_high"]]
        axis.plot(ends, [place, place], color=color, linewidth=1.6, alpha=0.45, zorder=2)
        axis.plot(
            cell[name], place, color=color, marker=marker, markersize=size,
            markeredgecolor=style.PAPER, markeredgewidth=0.5, linestyle="none", zorder=3,
        )  # fmt: skip
