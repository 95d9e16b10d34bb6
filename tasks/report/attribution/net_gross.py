"""Net beside gross importance: features whose lags offset each other."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.report import style
from foldproof.tasks.report.attribution.shares import best_attributed
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import label


def net_gross_figure(results: Results) -> Figure:
    """Left the best candidate, right the variant whose lags offset most."""
    best = str(best_attributed(results))
    by_variant = net_and_gross(results.attribution.importance)
    gross = by_variant["gross"].groupby("variant", sort=False).sum()
    shown = [best, *gross.drop(best).nlargest(1).index]
    figure, axes = style.canvas(1.5 + 0.28 * len(by_variant.loc[best]), 1, len(shown))
    for axis, name in zip(axes[0], shown, strict=True):
        _dumbbells(axis, by_variant.loc[name], label(name))
    style.legend(axes[0, 0], "lower right")
    return figure


def net_and_gross(importance: pd.DataFrame) -> pd.DataFrame:
    """Net and gross of every variant and feature, in percent of the variant's total net.

    Of the main method, averaged over folds and seeds; net sums to 100, as in the other figures.
    """
    own = importance[importance["method"] == MAIN]
    means = own.groupby(["variant", "feature"], sort=False)[["net", "gross"]].mean()
    return 100 * means.div(means["net"].groupby("variant").transform("sum"), axis=0)


def _dumbbells(axis: Axes, table: pd.DataFrame, title: str) -> None:
    """A line per feature from net to gross, the largest net on top."""
    rows = table.sort_values("net", ascending=False)
    places = range(len(rows))
    axis.hlines(places, rows["net"], rows["gross"], color=style.FAINT, linewidth=2.4, zorder=1)
    for name, face in (("gross", style.PAPER), ("net", style.BLUE)):
        axis.plot(
            rows[name], places, "o", color=style.BLUE, markerfacecolor=face, label=name,
            clip_on=False,
        )  # fmt: skip
    style.name_rows(axis, list(rows.index))
    axis.set_xlim(left=0)
    kept = rows["net"].sum() / rows["gross"].sum()
    style.describe(axis, f"{title}: net is {kept:.0%} of gross", x="% of all net importance")
    style.grid(axis)
