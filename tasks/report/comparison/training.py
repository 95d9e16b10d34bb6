"""Learning curves: did the networks learn anything, and when did they stop."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from foldproof.tasks.report.results import Results, label
from foldproof.tasks.report.style import BLUE, INK, NORMAL, ORANGE, SMALL, canvas, grid

COLUMNS = 4


def learning_curves(results: Results) -> Figure:
    """Training and validation loss by epoch: faint for each unit, bold for their mean."""
    names = [name for name in results.ranking.index if name in results.variants]
    rows = -(-len(names) // COLUMNS)
    figure, axes = canvas(0.8 + 1.75 * rows, rows, COLUMNS, sharex=True, sharey=True)
    for axis, name in zip(axes.flat, names, strict=False):
        _curves(axis, results.curves[results.curves.variant == name], "train_loss", BLUE)
        _curves(axis, results.curves[results.curves.variant == name], "validation_loss", ORANGE)
        _mark_best(axis, results.best_epochs[results.best_epochs.variant == name])
        axis.set_title(label(name), loc="left", fontsize=NORMAL, color=INK)
        grid(axis, "y")
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    axes[0, 0].set_ylim(*_limits(results.curves))
    _legend(figure)
    figure.supxlabel("epoch (vertical line: median epoch whose weights were kept)", fontsize=NORMAL)
    figure.supylabel("loss", fontsize=NORMAL)
    return figure


def _curves(axis: Axes, curves: pd.DataFrame, column: str, color: str) -> None:
    """Every unit's curve, faint, and the mean over the units still training, bold."""
    by_unit = curves.pivot(index="epoch", columns=["fold", "seed"], values=column)
    axis.plot(by_unit.index, by_unit.to_numpy(), color=color, linewidth=0.6, alpha=0.25)
    axis.plot(by_unit.index, by_unit.mean(axis=1), color=color, linewidth=2.0)


def _mark_best(axis: Axes, best: pd.DataFrame) -> None:
    axis.axvline(float(best.best_epoch.median()), color=INK, linewidth=0.8, linestyle=":")


def _limits(curves: pd.DataFrame) -> tuple[float, float]:
    """Limits that one diverging unit cannot stretch: 1 % to 99 % of all losses, and a margin."""
    losses = curves[["train_loss", "validation_loss"]].to_numpy()
    low, high = np.nanquantile(losses, [0.01, 0.99])
    margin = 0.08 * (high - low) or 0.01
    return float(low - margin), float(high + margin)


def _legend(figure: Figure) -> None:
    lines = [
        Line2D([], [], color=color, linewidth=2.0, label=name)
        for color, name in ((BLUE, "training"), (ORANGE, "validation"))
    ]
    figure.legend(handles=lines, loc="outside upper right", ncols=2, fontsize=SMALL, frameon=False)
