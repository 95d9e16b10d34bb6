"""The fold plan as a picture: which dates each fold trains, validates and tests on."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from foldproof.tasks.report.results import Results
from foldproof.tasks.report.style import (  # fmt: skip
    BLUE,
    INK,
    ORANGE,
    PAPER,
    SKY,
    SMALL,
    canvas,
    describe,
    grid,
    readable_on,
)
from foldproof.tasks.split.fold import Fold

BLOCKS = (("train", SKY), ("validation", ORANGE), ("test", BLUE))


def fold_plan(results: Results) -> Figure:
    """One bar a fold: train, validation, test; at the right the days purged at the borders."""
    figure, axes = canvas(1.0 + 0.33 * len(results.folds))
    axis = axes[0, 0]
    for row, fold in enumerate(results.folds):
        _bar(axis, row, fold)
        axis.text(
            1.01, row, _purged(fold), fontsize=SMALL, color=INK, va="center",
            transform=axis.get_yaxis_transform(),
        )  # fmt: skip
    _name_blocks(axis, results.folds[0])
    axis.text(
        1.01, -0.85, "days left out", fontsize=SMALL, color=INK, va="center",
        transform=axis.get_yaxis_transform(),
    )  # fmt: skip
    axis.xaxis_date()
    axis.set_yticks(range(len(results.folds)), [f"fold {fold.number}" for fold in results.folds])
    axis.set_ylim(len(results.folds) - 0.5, -0.5)
    describe(axis, x="date")
    grid(axis)
    return figure


def _bar(axis: Axes, row: int, fold: Fold) -> None:
    """The blocks of one fold; the white between them is purged or embargoed."""
    for name, color in BLOCKS:
        dates = getattr(fold, f"{name}_dates")
        if len(dates):
            start, stop = date2num(dates[0]), date2num(dates[-1]) + 1
            axis.barh(row, stop - start, left=start, height=0.72, color=color, edgecolor=PAPER)


def _name_blocks(axis: Axes, fold: Fold) -> None:
    """The names inside the first bar serve as the legend."""
    for name, color in BLOCKS:
        dates = getattr(fold, f"{name}_dates")
        if len(dates):
            red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
            middle = date2num(dates[0]) / 2 + date2num(dates[-1]) / 2
            axis.text(
                middle, 0, name, color=readable_on(red, green, blue), fontsize=SMALL,
                ha="center", va="center", clip_on=True,
            )  # fmt: skip


def _purged(fold: Fold) -> str:
    """Trading days between the blocks: train | validation | test."""
    blocks = [block for block in (fold.train, fold.validation, fold.test) if len(block)]
    gaps = [later.start - earlier.stop for earlier, later in pairwise(blocks)]
    return " + ".join(str(gap) for gap in gaps)
