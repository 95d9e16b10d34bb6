"""Figures of the methods that are asked for besides the usual three: do they tell the same?"""

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS, DEFAULT
from foldproof.tasks.report.attribution.shares import best_attributed, importance_shares
from foldproof.tasks.report.results import Results, label
from foldproof.tasks.report.style import (  # fmt: skip
    BLUE,
    FAINT,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    SKY,
    SMALL,
    VERMILLION,
    canvas,
    describe,
    grid,
    readable_on,
)
from foldproof.tasks.statistics.agreement import agreements

COLORS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, MUTED, INK)
"""Of lines, in the order of the methods."""
ERRORS = 2
"""Standard errors that are drawn to either side."""


def of_best(results: Results, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the best candidate."""
    return table[table["variant"] == best_attributed(results)]


def ranking_methods(results: Results) -> list[str]:
    """Methods of the best candidate that rank single features, in the mapping's order."""
    asked = set(of_best(results, results.attribution.importance)["method"])
    return [
        name for name, one in ATTRIBUTIONS.items() if name in asked and one.columns == "features"
    ]


def has_more_methods(results: Results) -> bool:
    """Whether features are ranked by another method than the usual three."""
    return bool(set(ranking_methods(results)) - set(DEFAULT))


def methods_figure(results: Results) -> Figure:
    """Left each feature's share by method, right how far two methods rank features alike."""
    methods = ranking_methods(results)
    importance = of_best(results, results.attribution.importance)
    shares = importance_shares(importance[importance["method"].isin(methods)], "method").T[methods]
    shares = shares.loc[shares[methods[0]].sort_values(ascending=False).index]
    figure, axes = canvas(2.2 + 0.3 * max(len(shares), len(methods)), 1, 2, widths=[1.25, 1.0])
    left, right = axes[0]
    _cells(left, shares, "Blues", (0.0, float(shares.to_numpy().max())), "{:.0f}")
    describe(left, f"{label(str(best_attributed(results)))}: share of importance, %")
    _cells(right, tau_table(shares), "RdBu", (-1.0, 1.0), "{:.2f}")
    describe(right, "Kendall's tau of two rankings")
    return figure


def tau_table(shares: pd.DataFrame) -> pd.DataFrame:
    """Methods by methods: Kendall's tau-b of the rankings of features; NaN on the diagonal."""
    columns = {str(name): torch.tensor(shares[name].to_numpy(float)) for name in shares}
    table = pd.DataFrame(np.nan, index=list(columns), columns=list(columns))
    for (one, other), tau in agreements(columns).items():
        table.loc[one, other] = table.loc[other, one] = tau
    return table


def _cells(
    axis: Axes, table: pd.DataFrame, cmap: str, limits: tuple[float, float], form: str
) -> None:
    """A heat map with its figures, methods by their titles."""
    image = axis.imshow(table, cmap=cmap, vmin=limits[0], vmax=limits[1], aspect="auto")
    colors = np.asarray(image.to_rgba(table.to_numpy()))
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        if np.isfinite(value):
            ink = readable_on(*colors[row, column, :3])
            text = form.format(value).replace("-", "\N{MINUS SIGN}")
            axis.text(column, row, text, color=ink, fontsize=SMALL, ha="center", va="center")
    axis.set_xticks(range(table.shape[1]), [titled(str(name)) for name in table.columns])
    axis.tick_params(axis="x", rotation=40)
    for tick in axis.get_xticklabels():
        tick.set(ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(table)), [titled(str(name)) for name in table.index])
    axis.spines["bottom"].set_color(FAINT)


def titled(name: str) -> str:
    """A method by its title; anything else as it is."""
    return ATTRIBUTIONS[name].title if name in ATTRIBUTIONS else name


def has_drawn(results: Results, method: str) -> bool:
    """Whether the method was asked of the best candidate."""
    return method in set(of_best(results, results.attribution.importance)["method"])


def permutation_figure(results: Results) -> Figure:
    """Rank IC that the forecast loses without each feature, with two standard errors."""
    return _with_errors(results, "permutation", "rank IC lost when the feature is permuted")


def shapley_figure(results: Results) -> Figure:
    """Shapley value of each group of features, with two standard errors where orders are drawn."""
    return _with_errors(results, "shapley", "mean |Shapley value|, in units of the target")


def errors_of(results: Results, method: str) -> pd.DataFrame:
    """Net and error by feature (or group) of the best candidate, the largest first.

    Errors are those of the mean over folds and seeds, whose draws are independent of each other;
    0 where nothing is drawn.
    """
    own = of_best(results, results.attribution.importance)
    rows = own[own["method"] == method].fillna({"net_error": 0.0})
    by_feature = rows.groupby("feature", sort=False)
    error = by_feature["net_error"].apply(lambda e: float(np.sqrt((e**2).sum()) / len(e)))
    table = pd.DataFrame({"net": by_feature["net"].mean(), "error": error})
    return table.sort_values("net", ascending=False)


def _with_errors(results: Results, method: str, x: str) -> Figure:
    """A point a row, faint where two errors reach 0."""
    table = errors_of(results, method)
    figure, axes = canvas(1.2 + 0.28 * len(table))
    axis, places = axes[0, 0], np.arange(len(table))
    reach = ERRORS * table["error"]
    clear = (table["net"] - reach > 0).to_numpy()
    for told, color in ((clear, BLUE), (~clear, MUTED)):
        axis.hlines(
            places[told], (table["net"] - reach)[told], (table["net"] + reach)[told],
            color=color, linewidth=1.8, alpha=0.6,
        )  # fmt: skip
        face = BLUE if color == BLUE else PAPER
        axis.plot(table["net"][told], places[told], "o", color=color, markerfacecolor=face)
    axis.axvline(0, color=INK, linewidth=0.9)
    axis.set_yticks(places, list(table.index))
    axis.set_ylim(len(places) - 0.5, -0.5)
    describe(axis, label(str(best_attributed(results))), x=x)
    grid(axis)
    return figure


def lag_profile_figure(results: Results) -> Figure:
    """Share of each method's sizes by lag, over all features."""
    shares = lag_shares(of_best(results, results.attribution.lagged))
    figure, axes = canvas(4.2)
    axis = axes[0, 0]
    for color, (name, share) in zip(COLORS * 2, shares.items(), strict=False):
        axis.plot(
            share.index, share, color=color, label=titled(str(name)), marker="o", markersize=3.5
        )
    axis.set_xlim(float(shares.index.max()), 0)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_ylim(bottom=0)
    title = label(str(best_attributed(results)))
    describe(axis, title, x="lag in trading days (0 = newest)", y="% of the method's sizes")
    axis.legend(loc="upper left", fontsize=SMALL, frameon=False)
    grid(axis, "y")
    return figure


def lag_shares(lagged: pd.DataFrame) -> pd.DataFrame:
    """Share (percent) of the sizes by lag (rows) and method (columns), all features together."""
    sums = lagged.groupby(["lag", "method"])["absolute"].sum().unstack("method")
    order = [name for name in ATTRIBUTIONS if name in sums]
    return 100 * sums[order].div(sums[order].sum())
