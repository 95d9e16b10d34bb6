"""The fold plan as a picture: training, validation and test dates of each fold."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from foldproof.models.date_rows import parts_of
from foldproof.tasks.report import style
from foldproof.tasks.report.results import Results
from foldproof.tasks.split.fold import Fold

BLOCKS = {"train": style.SKY, "validation": style.ORANGE, "test": style.BLUE}


def fold_plan(results: Results) -> Figure:
    """One bar per fold: train, validation, test; at the right the gaps in trading days."""
    folds = results.splits or results.folds
    figure, axis = style.one_axis(1.0 + 0.33 * len(folds))
    for row, fold in enumerate(folds):
        _draw_blocks(axis, row, fold)
    purged = ["gap in days", *map(_purged, folds)]
    for row, text in zip((-0.85, *range(len(folds))), purged, strict=True):
        axis.text(
            1.01, row, text, fontsize=style.SMALL, color=style.INK, va="center",
            transform=axis.get_yaxis_transform(),
        )  # fmt: skip
    axis.xaxis_date()
    style.name_rows(axis, [f"fold {fold.number}" for fold in folds])
    style.describe(axis, x="date")
    style.grid(axis)
    return figure


def _draw_blocks(axis: Axes, row: int, fold: Fold) -> None:
    """The blocks of one fold, named in the first row; the white gaps are purge and embargo."""
    for name, color in BLOCKS.items():
        for place, part in enumerate(parts_of(getattr(fold, name))):
            if not part:
                continue
            start, stop = (date2num(fold.calendar[one]) for one in (part[0], part[-1]))
            stop += 1
            axis.barh(
                row, stop - start, left=start, height=0.72, color=color, edgecolor=style.PAPER
            )
            axis.text(
                (start + stop) / 2, row, "" if row or place else name, fontsize=style.SMALL,
                ha="center", va="center", clip_on=True, color=style.readable_on(*to_rgb(color)),
            )  # fmt: skip


def _purged(fold: Fold) -> str:
    """Trading days between the blocks: train | validation | test."""
    if not fold.in_order:
        kinds = (fold.train, fold.validation, fold.test)
        ordered = sorted((p for rows in kinds for p in parts_of(rows)), key=lambda p: p.start)
        found = (later.start - earlier.stop for earlier, later in pairwise(ordered))
        return " + ".join(str(gap) for gap in found if gap)
    blocks = [block for block in (fold.train, fold.validation, fold.test) if len(block)]
    gaps = [later[0] - earlier[-1] - 1 for earlier, later in pairwise(blocks)]
    return " + ".join(str(gap) for gap in gaps)
