"""The figure of the study: honest and train-mode rank IC by composition and normalization."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from foldproof.models.normalizers import resolve
from foldproof.tasks.report.batch_study.results import StudyResults
from foldproof.tasks.report.style import (  # fmt: skip
    BLUE,
    INK,
    MUTED,
    NORMAL,
    ORANGE,
    PAPER,
    SMALL,
    VERMILLION,
    canvas,
    grid,
)

WAYS = {
    "train_mode_dates": ("train mode, batches of one date", ORANGE, "d", 4.0),
    "train_mode": ("train mode, batches as in training", VERMILLION, "X", 6.0),
    "honest": ("honest: eval mode, day by day", BLUE, "o", 5.0),
}
"""Columns of the table, how each is called and drawn; the last on top."""


def batch_norm_figure(results: StudyResults) -> Figure:
    """A row a data panel, a column a normalization, a line a batch composition."""
    rows, columns = len(results.panels), len(results.normalizations)
    height = 1.1 + rows * (0.6 + 0.19 * len(results.compositions))
    figure, axes = canvas(height, rows, columns, sharex=True, sharey=True)
    for row, panel in enumerate(results.panels):
        for column, normalization in enumerate(results.normalizations):
            _cells(axes[row, column], results, panel, normalization)
            if row == 0:
                title = _wrapped(resolve(normalization).title)
                axes[row, column].set_title(title, fontsize=SMALL, color=INK, loc="left")
        _name_panel(axes[row, 0], results, panel)
    axes[0, 0].set_yticks(range(len(results.compositions)), results.compositions)
    axes[0, 0].set_ylim(len(results.compositions) - 0.5, -0.5)
    figure.supxlabel(_meaning(results), fontsize=SMALL, color=MUTED)
    _legend(figure)
    return figure


def _cells(axis: Axes, results: StudyResults, panel: str, normalization: str) -> None:
    """One small panel: every composition with its three scores."""
    truth = results.panels[panel].truth
    axis.axvline(0, color=INK, linewidth=0.8, zorder=1)
    if truth:
        axis.axvline(truth, color=MUTED, linewidth=0.9, linestyle=":", zorder=1)
    for place, composition in enumerate(results.compositions):
        cell = results.cell(panel, normalization, composition)
        if cell is None:
            ground = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5}
            axis.text(
                0.01, place, "not trained", color=MUTED, fontsize=SMALL - 2, va="center",
                bbox=ground,
            )  # fmt: skip
        else:
            _marks(axis, place, cell)
    grid(axis)


def _marks(axis: Axes, place: int, cell: pd.Series) -> None:
    """The three scores of a cell, with intervals."""
    for name, (_, color, marker, size) in WAYS.items():
        low, high = cell[f"{name}_low"], cell[f"{name}_high"]
        axis.plot([low, high], [place, place], color=color, linewidth=1.6, alpha=0.45, zorder=2)
        axis.plot(
            cell[name], place, color=color, marker=marker, markersize=size,
            markeredgecolor=PAPER, markeredgewidth=0.5, linestyle="none", zorder=3,
        )  # fmt: skip


def _name_panel(axis: Axes, results: StudyResults, panel: str) -> None:
    """The panel's title above the names of its compositions, right-aligned with them."""
    about = results.panels[panel]
    known = "" if about.truth is None else f"\ntrue rank IC {about.truth:.2f}"
    axis.annotate(
        _wrapped(about.title, 26) + known, (0, 1), (-12, 4), xycoords="axes fraction",
        textcoords="offset points", ha="right", va="bottom", fontsize=SMALL, color=INK,
        fontweight="bold",
    )  # fmt: skip


def _wrapped(text: str, width: int = 20) -> str:
    """Broken at spaces into lines of about ``width`` characters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _meaning(results: StudyResults) -> str:
    """What is drawn, below it."""
    return (
        f"mean daily rank IC on the test block; mean and {results.level:.0%} interval over "
        f"{results.seeds} seeds. Dotted: the best possible. Not trained: the normalization needs "
        "other batches"
    )


def _legend(figure: Figure) -> None:
    marks = [
        Line2D([], [], color=color, marker=marker, markersize=7, linestyle="none", label=label)
        for label, color, marker, _ in reversed(WAYS.values())
    ]
    figure.legend(
        handles=marks, loc="outside upper left", ncols=len(marks), fontsize=NORMAL, frameon=False,
        labelcolor=INK,
    )  # fmt: skip
