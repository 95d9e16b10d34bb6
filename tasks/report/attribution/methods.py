"""Figures of the optional attribution methods, and their agreement."""

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS
from foldproof.tasks.report import style
from foldproof.tasks.report.attribution.shares import best_attributed, importance_shares, of_best
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import label
from foldproof.tasks.statistics.agreement import agreements

COLORS = (
    style.BLUE, style.ORANGE, style.GREEN, style.VERMILLION, style.PURPLE, style.SKY, style.MUTED,
    style.INK,
)  # fmt: skip
"""Colours of lines, in the order of the methods."""
ERRORS = 2
"""Standard errors drawn to either side."""


def ranking_methods(results: Results) -> list[str]:
    """Methods of the best candidate that rank single features, in the order of the catalogue."""
    return [
        name
        for name, method in ATTRIBUTIONS.items()
        if was_asked(results, name) and method.columns == "features"
    ]


def was_asked(results: Results, method: str) -> bool:
    """Whether the method was computed for the best candidate."""
    return method in set(of_best(results, results.attribution.importance)["method"])


def methods_figure(results: Results) -> Figure:
    """Left, each feature's share by method; right, agreement of the methods' rankings."""
    methods = ranking_methods(results)
    importance = of_best(results, results.attribution.importance)
    shares = importance_shares(importance[importance["method"].isin(methods)], "method").T[methods]
    shares = shares.loc[shares[methods[0]].sort_values(ascending=False).index]
    figure, axes = style.canvas(
        2.2 + 0.3 * max(len(shares), len(methods)), 1, 2, widths=[1.25, 1.0]
    )
    left, right = axes[0]
    _draw_table(left, shares, "Blues", (0.0, float(shares.to_numpy().max())), ".0f")
    style.describe(left, f"{label(str(best_attributed(results)))}: share of importance, %")
    _draw_table(right, tau_table(shares), "RdBu", (-1.0, 1.0), ".2f")
    style.describe(right, "agreement of rankings (Kendall's tau)")
    return figure


def tau_table(shares: pd.DataFrame) -> pd.DataFrame:
    """Methods by methods: Kendall's tau-b of the rankings of features; NaN on the diagonal."""
    columns = {str(name): torch.tensor(shares[name].to_numpy(float)) for name in shares}
    table = pd.DataFrame(np.nan, index=list(columns), columns=list(columns))
    for (one, other), tau in agreements(columns).items():
        table.loc[one, other] = table.loc[other, one] = tau
    return table


def _draw_table(
    axis: Axes, table: pd.DataFrame, cmap: str, limits: tuple[float, float], form: str
) -> None:
    """A heat map with its numbers, methods by their titles."""
    style.heat_map(axis, table, cmap, limits, form)
    style.slant_columns(axis, [_title(str(name)) for name in table.columns])
    style.name_rows(axis, [_title(str(name)) for name in table.index])


def _title(name: str) -> str:
    """The title of a method; anything else as it is."""
    return ATTRIBUTIONS[name].title if name in ATTRIBUTIONS else name


def permutation_figure(results: Results) -> Figure:
    """Rank IC that the forecast loses without each feature, with two standard errors."""
    return _with_errors(results, "permutation", "rank IC lost when the feature is shuffled")


def shapley_figure(results: Results) -> Figure:
    """Shapley value of each group of features, with two standard errors if orders are sampled."""
    return _with_errors(results, "shapley", "mean |Shapley value|, in units of the target")


def errors_of(results: Results, method: str) -> pd.DataFrame:
    """Net and its standard error by feature (or group) of the best candidate, largest first.

    The error is that of the mean over folds and seeds with independent draws; 0 without draws.
    """
    own = of_best(results, results.attribution.importance)
    rows = own[own["method"] == method].fillna({"net_error": 0.0})
    by_feature = rows.groupby("feature", sort=False)
    error = by_feature["net_error"].apply(lambda e: float(np.sqrt((e**2).sum()) / len(e)))
    table = pd.DataFrame({"net": by_feature["net"].mean(), "error": error})
    return table.sort_values("net", ascending=False)


def _with_errors(results: Results, method: str, x: str) -> Figure:
    """A point per row, faint if its error bar reaches 0."""
    table = errors_of(results, method)
    figure, axis = style.one_axis(1.2 + 0.28 * len(table))
    places = np.arange(len(table))
    net, reach = table["net"], ERRORS * table["error"]
    clear = (net - reach > 0).to_numpy()
    for rows, color, face in (
        (clear, style.BLUE, style.BLUE),
        (~clear, style.MUTED, style.PAPER),
    ):
        axis.hlines(
            places[rows], (net - reach)[rows], (net + reach)[rows], color=color, linewidth=1.8,
            alpha=0.6,
        )  # fmt: skip
        axis.plot(net[rows], places[rows], "o", color=color, markerfacecolor=face)
    axis.axvline(0, color=style.INK, linewidth=0.9)
    style.name_rows(axis, list(table.index))
    style.describe(axis, label(str(best_attributed(results))), x=x)
    style.grid(axis)
    return figure


def lag_profile_figure(results: Results) -> Figure:
    """Share of each lag, summed over features, by method."""
    shares = lag_shares(of_best(results, results.attribution.lagged))
    figure, axis = style.one_axis(4.2)
    for color, (name, share) in zip(COLORS * 2, shares.items(), strict=False):
        axis.plot(
            share.index, share, color=color, label=_title(str(name)), marker="o", markersize=3.5
        )
    axis.set_xlim(float(shares.index.max()), 0)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_ylim(bottom=0)
    title = label(str(best_attributed(results)))
    style.describe(axis, title, x=style.LAG_AXIS, y="share of the method's total, %")
    style.legend(axis, "upper left")
    style.grid(axis, "y")
    return figure


def lag_shares(lagged: pd.DataFrame) -> pd.DataFrame:
    """Share (percent) of the sizes by lag (rows) and method (columns), summed over features."""
    sums = lagged.groupby(["lag", "method"])["absolute"].sum().unstack("method")
    order = [name for name in ATTRIBUTIONS if name in sums]
    return 100 * sums[order].div(sums[order].sum())
