"""Importance over the folds: which features, in which direction, and how much it moved."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foldproof.tasks.report import style
from foldproof.tasks.report.attribution.shares import best_attributed, drifted
from foldproof.tasks.report.results import Results, is_true
from foldproof.tasks.report.text import label

NAMED = 4
"""Variants that the headline names."""


def drift_figure(results: Results) -> Figure:
    """Best candidate: above, what moved between folds; below, every feature's share by fold."""
    best = str(best_attributed(results))
    up, down = shares_by_fold(results.attribution.periods, best)
    table = results.attribution.newest.drift
    figure, axes = style.canvas(
        3.0 + 0.28 * up.shape[1], 2, 1, heights=[1.4, 0.28 * up.shape[1]], sharex=True
    )
    _moves(axes[0, 0], table[table["variant"] == best], list(up.index))
    axis, balance = axes[1, 0], (up - down).T
    limit = float(np.abs(balance.to_numpy()).max()) or 1.0
    image = style.heat_map(axis, balance, "RdBu", (-limit, limit), ".0f", (up + down).T)
    style.name_rows(axis, list(balance.index))
    axis.set_xticks(range(len(up)), [f"fold {number}" for number in up.index])
    style.describe(axis, f"{label(best)}: share by fold, %")
    style.colour_scale(axis, image, "raises minus lowers the forecast, %")
    if text := alerted(table):
        style.headline(figure, text, warning=True)
    return figure


def shares_by_fold(periods: pd.DataFrame, variant: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Share of importance (percent) upwards and downwards: folds (rows) by features, largest first.

    All samples have the same weight, in every period and seed.
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
    """Variants whose importance drifted, and at which folds; empty if none did."""
    named = [
        f"{label(str(name))} (fold {', '.join(map(str, rows['fold']))})"
        for name, rows in drifted(table).groupby("variant", sort=False)
    ]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return f"importance drifted: {', '.join(named[:NAMED])}{more}" if named else ""


def _moves(axis: Axes, own: pd.DataFrame, folds: list[int]) -> None:
    """A bar at the later fold, and a line at the limit of chance."""
    at = np.array([folds.index(fold) for fold in own["fold"]])
    colors = [style.VERMILLION if is_true(alert) else style.BLUE for alert in own["alert"]]
    axis.bar(at, 100 * own["moved"], color=colors, width=0.5)
    axis.hlines(
        100 * own["mark"].astype(float), at - 0.35, at + 0.35, color=style.INK, linewidth=1.4,
        label="limit of chance (resampled dates)",
    )  # fmt: skip
    axis.set_ylim(bottom=0)
    style.describe(axis, "moved since the previous fold", y="% of importance")
    style.legend(axis, "upper left", labelcolor=style.MUTED)
    style.grid(axis, "y")
