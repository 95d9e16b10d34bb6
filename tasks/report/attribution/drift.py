"""Importance over the folds: which features, in which direction, and where it moved."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from foldproof.tasks.report.attribution.shares import best_attributed, drifted
from foldproof.tasks.report.results import Results, is_true, label
from foldproof.tasks.report.style import (  # fmt: skip
    BLUE,
    FAINT,
    INK,
    MUTED,
    NORMAL,
    PAPER,
    SMALL,
    VERMILLION,
    canvas,
    describe,
    grid,
    readable_on,
)


def drift_figure(results: Results) -> Figure:
    """Above what moved between folds, below every feature's share by fold, of the best."""
    best = str(best_attributed(results))
    up, down = shares_by_fold(results.attribution.periods, best)
    table = results.attribution.newest.drift
    own = table[table["variant"] == best]
    figure, axes = canvas(
        3.0 + 0.28 * up.shape[1], 2, 1, heights=[1.4, 0.28 * up.shape[1]], sharex=True
    )
    _moves(axes[0, 0], own, list(up.index))
    _shares(figure, axes[1, 0], up, down, label(best))
    alerts = alerted(table)
    if alerts:
        figure.suptitle(alerts, x=0.01, ha="left", fontsize=NORMAL, color=VERMILLION)
    return figure


def shares_by_fold(periods: pd.DataFrame, variant: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Share of importance (percent) upwards and downwards: folds (rows) by features, largest first.

    Samples of all periods and seeds count alike.
    """
    own = periods[periods["variant"] == variant]
    weighed = own[["up", "down"]].mul(own["samples"], axis=0)
    sums = weighed.groupby([own["fold"], own["feature"]]).sum()
    total = sums.sum(axis=1).groupby("fold").transform("sum")
    shares = sums.div(total, axis=0)
    up, down = (100 * shares[side].unstack("feature") for side in ("up", "down"))
    order = list((up + down).T.mean(axis=1).sort_values(ascending=False).index)
    return up[order], down[order]


def alerted(table: pd.DataFrame) -> str:
    """Which variants drifted, between which folds; empty where none did."""
    named = [
        f"{label(str(name))} (fold {', '.join(map(str, rows['fold']))})"
        for name, rows in drifted(table).groupby("variant", sort=False)
    ]
    more = f" and {len(named) - 4} more" if len(named) > 4 else ""
    return f"importance drifted: {', '.join(named[:4])}{more}" if named else ""


def _moves(axis: Axes, own: pd.DataFrame, folds: list[int]) -> None:
    """A bar at the later fold, a tick where chance ends."""
    place = {fold: number for number, fold in enumerate(folds)}
    at = [place[fold] for fold in own["fold"]]
    colors = [VERMILLION if is_true(alert) else BLUE for alert in own["alert"]]
    axis.bar(at, 100 * own["moved"], color=colors, width=0.5)
    axis.hlines(
        100 * own["mark"].astype(float), np.array(at) - 0.35, np.array(at) + 0.35, color=INK,
        linewidth=1.4, label="resampled dates stay below",
    )  # fmt: skip
    axis.set_ylim(bottom=0)
    describe(axis, "moved since the fold before", y="% of importance")
    axis.legend(loc="upper left", fontsize=SMALL, frameon=False, labelcolor=MUTED)
    grid(axis, "y")


def _shares(figure: Figure, axis: Axes, up: pd.DataFrame, down: pd.DataFrame, title: str) -> None:
    """The figure is the share, the colour its direction."""
    total, balance = (up + down).T.to_numpy(), (up - down).T
    limit = float(np.abs(balance.to_numpy()).max()) or 1.0
    image = axis.imshow(balance, cmap="RdBu", norm=Normalize(-limit, limit), aspect="auto")
    colors = np.asarray(image.to_rgba(balance.to_numpy()))
    for (row, column), value in np.ndenumerate(total):
        ink = readable_on(*colors[row, column, :3])
        axis.text(column, row, f"{value:.0f}", color=ink, fontsize=SMALL, ha="center", va="center")
    axis.set_yticks(range(len(balance)), list(balance.index))
    axis.set_xticks(range(len(up)), [f"fold {number}" for number in up.index])
    axis.spines["bottom"].set_color(FAINT)
    describe(axis, f"{title}: share by fold, %")
    bar = figure.colorbar(image, ax=axis, fraction=0.025, pad=0.01)
    bar.outline.set_edgecolor(PAPER)
    bar.ax.tick_params(labelsize=SMALL, length=0)
    bar.set_label("upwards less downwards, %", fontsize=SMALL, color=MUTED)
