"""Net beside gross importance: which features have lags that take back what others give."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.report.attribution.shares import best_attributed
from foldproof.tasks.report.results import Results, label
from foldproof.tasks.report.style import BLUE, FAINT, PAPER, SMALL, canvas, describe, grid


def net_gross_figure(results: Results) -> Figure:
    """Left the best candidate, right the variant whose lags cancel most; the same features."""
    best = str(best_attributed(results))
    by_variant = net_and_gross(results.attribution.importance)
    kept = by_variant.groupby("variant", sort=False).sum()
    others = (kept["net"] / kept["gross"]).drop(best)
    shown = [best, *others.nsmallest(1).index]
    figure, axes = canvas(1.5 + 0.28 * len(by_variant.loc[best]), 1, len(shown))
    for axis, name in zip(axes[0], shown, strict=True):
        _dumbbells(axis, by_variant.loc[name], label(name))
    axes[0, 0].legend(loc="lower right", fontsize=SMALL, frameon=False)
    return figure


def net_and_gross(importance: pd.DataFrame) -> pd.DataFrame:
    """Net and gross of every variant and feature, percent of the variant's gross total.

    Of the main method, averaged over folds and seeds.
    """
    own = importance[importance["method"] == MAIN]
    means = own.groupby(["variant", "feature"], sort=False)[["net", "gross"]].mean()
    return 100 * means.div(means["gross"].groupby("variant").transform("sum"), axis=0)


def _dumbbells(axis: Axes, table: pd.DataFrame, title: str) -> None:
    """A line a feature from net to gross, the largest net on top."""
    rows = table.sort_values("net", ascending=False)
    places = np.arange(len(rows))
    axis.hlines(places, rows["net"], rows["gross"], color=FAINT, linewidth=2.4, zorder=1)
    axis.plot(
        rows["gross"], places, "o", color=BLUE, markerfacecolor=PAPER, label="gross", clip_on=False
    )
    axis.plot(rows["net"], places, "o", color=BLUE, label="net", clip_on=False)
    axis.set_yticks(places, list(rows.index))
    axis.set_ylim(len(places) - 0.5, -0.5)
    axis.set_xlim(left=0)
    describe(axis, f"{title}: net is {rows['net'].sum():.0f} % of gross", x="% of all gross")
    grid(axis)
