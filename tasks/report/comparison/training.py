"""Learning curves: whether the networks learned anything, and when training stopped."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from foldproof.tasks.report import style
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import label

COLUMNS = 4
LOSSES = {"train_loss": ("training", style.BLUE), "validation_loss": ("validation", style.ORANGE)}


def learning_curves(results: Results) -> Figure:
    """Loss by epoch, a panel per variant with its own scale: each unit faint, their mean bold."""
    names = [name for name in results.ranking.index if name in results.variants]
    rows = -(-len(names) // COLUMNS)
    figure, axes = style.canvas(0.8 + 1.75 * rows, rows, COLUMNS, sharex=True)
    for axis, name in zip(axes.flat, names, strict=False):
        curves = results.curves[results.curves["variant"] == name]
        best = results.best_epochs[results.best_epochs["variant"] == name]["best_epoch"]
        for column, (_, color) in LOSSES.items():
            by_unit = curves.pivot(index="epoch", columns=["fold", "seed"], values=column)
            axis.plot(by_unit.index, by_unit.to_numpy(), color=color, linewidth=0.6, alpha=0.25)
            axis.plot(by_unit.index, by_unit.mean(axis=1), color=color, linewidth=2.0)
        axis.axvline(float(best.median()), color=style.INK, linewidth=0.8, linestyle=":")
        _limit(axis, curves)
        axis.set_title(label(name), loc="left", fontsize=style.NORMAL, color=style.INK)
        style.grid(axis, "y")
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    lines = [Line2D([], [], color=c, linewidth=2.0, label=title) for title, c in LOSSES.values()]
    style.legend(figure, "outside upper right", handles=lines, ncols=2)
    figure.supxlabel("epoch (dotted: median epoch of the kept weights)", fontsize=style.NORMAL)
    figure.supylabel("loss", fontsize=style.NORMAL)
    return figure


def _limit(axis: Axes, curves: pd.DataFrame) -> None:
    """Limits at the 1 % and 99 % quantiles plus a margin, so that one unit cannot stretch them."""
    losses = curves[list(LOSSES)].to_numpy(float)
    if np.isfinite(losses).any():
        low, high = np.nanquantile(losses, [0.01, 0.99])
        margin = 0.08 * (high - low) or 0.01
        axis.set_ylim(float(low - margin), float(high + margin))
