"""Figures of the attributions: which features, at which lags, by which method."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.image import AxesImage

from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.report.attribution.shares import (
    best_attributed,
    doubted,
    importance_shares,
    ranked_features,
    shares,
)
from foldproof.tasks.report.results import Results, label
from foldproof.tasks.report.style import (  # fmt: skip
    BLUE,
    FAINT,
    INK,
    MUTED,
    NORMAL,
    ORANGE,
    PAPER,
    PURPLE,
    SMALL,
    VERMILLION,
    canvas,
    describe,
    grid,
    readable_on,
    sheet,
    undecorate,
)

HEAT = "Blues"
MARKS = {
    MAIN: ("integrated gradients", BLUE, "o"),
    "mean_partial": ("|mean partial derivative|", ORANGE, "s"),
    "mean_abs_partial": ("mean |partial derivative|", PURPLE, "^"),
}


def heatmap_of(lagged: pd.DataFrame, title: str = "", order: Sequence[str] | None = None) -> Figure:
    """One heat map, feature x lag, of one variant (and fold): what a tracker shows side by side.

    It is drawn for every variant and fold, so places are computed here instead of by a layout
    engine, which would take five times as long.

    Args:
        lagged: Rows of one variant: method, feature, lag, absolute. Integrated gradients are
            drawn.
        title: Words above it.
        order: Features from the top down; by their gross share unless told.
    """
    table = shares(lagged[lagged.method == MAIN], order)
    rows, names = 0.26 * len(table), 0.3 + 0.075 * max(map(len, table.index))
    height, width = rows + 1.0, names + 5.2
    figure = Figure(figsize=(width, height), dpi=100, facecolor=PAPER)
    across = (names / width, 4.2 / width, 0.12 / width)
    axis = figure.add_axes((across[0], 0.6 / height, across[1], rows / height))
    bar = figure.add_axes(
        (across[0] + across[1] + across[2], 0.6 / height, across[2], rows / height)
    )
    undecorate(axis)
    image = _heat(axis, table, float(table.to_numpy().max()))
    _name_features(axis, list(table.index))
    describe(axis, title, x="lag in trading days (0 = newest)")
    _name_scale(figure.colorbar(image, cax=bar))
    return figure


def attribution_heatmap(results: Results) -> Figure:
    """The best candidate large, all others small beside it, on one colour scale."""
    best = str(best_attributed(results))
    lagged = results.attribution.lagged
    net = ranked_features(results.attribution.importance, best)
    order = list(net.index)
    by_variant = {
        name: shares(rows[rows.method == MAIN], order)
        for name, rows in lagged.groupby("variant", sort=False)
    }
    rest = [n for n in results.ranking.index if n in by_variant and n != best]
    ceiling = float(np.quantile([t.to_numpy().max() for t in by_variant.values()], 0.8))
    figure = sheet(max(2.0 + 0.22 * len(order), 0.6 + 0.95 * -(-len(rest) // 3)))
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.15, 1.0])[0]
    image = _large(left.subplots(), by_variant[best], net, label(best), ceiling)
    doubt = doubted(results, best)
    if doubt:
        words = f"{label(best)} is {doubt}"
        figure.suptitle(words, x=0.01, ha="left", fontsize=NORMAL, color=VERMILLION)
    _scale(figure, image, left.axes[0])
    marked = {f"{label(n)}{' (fails)' * bool(doubted(results, n))}": n for n in rest}
    tables = {title: by_variant[name] for title, name in marked.items()}
    _small_multiples(right, tables, ceiling)
    return figure


def _large(
    axis: Axes, table: pd.DataFrame, net: pd.Series, title: str, ceiling: float
) -> AxesImage:
    """Cells are sizes, which add up to gross; the figure beside a name is its net share."""
    undecorate(axis)
    image = _heat(axis, table, ceiling)
    _name_features(axis, [f"{name}  {share:.0f} %" for name, share in net.items()])
    describe(axis, title, x="lag in trading days (0 = newest)")
    return image


def _small_multiples(figure: SubFigure, tables: dict[str, pd.DataFrame], ceiling: float) -> None:
    """The other variants, three in a row, features in the order of the large one."""
    if not tables:
        return
    axes = figure.subplots(-(-len(tables) // 3), 3, squeeze=False)
    for axis in axes.flat:
        undecorate(axis)
        axis.set_axis_off()
    for axis, (title, table) in zip(axes.flat, tables.items(), strict=False):
        _heat(axis, table, ceiling)
        axis.set_title(title, loc="left", fontsize=SMALL, color=INK)


def _heat(axis: Axes, table: pd.DataFrame, ceiling: float) -> AxesImage:
    """Share by feature and lag; the newest lag at the right, as time runs."""
    lags = [int(lag) for lag in table.columns]
    image = axis.imshow(table, cmap=HEAT, vmin=0, vmax=ceiling, aspect="auto")
    ticks = [position for position, lag in enumerate(lags) if lag % 5 == 0]
    axis.set_xticks(ticks, [str(lags[position]) for position in ticks])
    axis.spines["bottom"].set_visible(False)
    return image


def _name_features(axis: Axes, names: list[str]) -> None:
    axis.set_yticks(range(len(names)), names)


def _scale(figure: FigureBase, image: AxesImage, axis: Axes) -> None:
    _name_scale(figure.colorbar(image, ax=axis, fraction=0.03, pad=0.01, extend="max"))


def _name_scale(bar: Colorbar) -> None:
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, length=0)
    bar.set_label("share of the attribution, %", fontsize=SMALL, color=MUTED)


def importance_by_method(results: Results) -> Figure:
    """Left: the best candidate, every method and its range over folds. Right: every variant."""
    best = str(best_attributed(results))
    importance = results.attribution.importance
    own = importance[(importance.variant == best) & importance.method.isin(MARKS)]
    over_folds = importance_shares(own, "method", "fold")
    order = ranked_features(importance, best).index
    figure, axes = canvas(1.6 + 0.3 * len(order), 1, 2, widths=[1.0, 1.25])
    _methods(axes[0, 0], over_folds[order], best)
    by_variant = importance_shares(importance[importance.method == MAIN], "variant")
    names = [name for name in results.ranking.index if name in by_variant.index]
    _across_variants(axes[0, 1], by_variant.loc[names, order].T)
    return figure


def _methods(axis: Axes, over_folds: pd.DataFrame, best: str) -> None:
    """A mark a method at the mean over folds, a line from the lowest to the highest fold."""
    places = np.arange(over_folds.shape[1])
    methods = [m for m in MARKS if m in over_folds.index.get_level_values("method")]
    for shift, method in zip(np.linspace(-0.25, 0.25, len(methods)), methods, strict=True):
        name, color, marker = MARKS[method]
        rows = over_folds.loc[method]
        axis.hlines(places + shift, rows.min(), rows.max(), color=color, linewidth=1.6, alpha=0.5)
        axis.plot(rows.mean(), places + shift, marker, color=color, markersize=5, label=name)
    _name_features(axis, list(over_folds.columns))
    axis.set_ylim(len(places) - 0.5, -0.5)
    axis.set_xlim(left=0)
    axis.legend(loc="lower right", fontsize=SMALL, frameon=False)
    describe(axis, label(best), x="share of importance, % (line: lowest to highest fold)")
    grid(axis)


def _across_variants(axis: Axes, table: pd.DataFrame) -> None:
    """Feature (rows) x variant (columns), share by integrated gradients as figure and colour."""
    image = axis.imshow(table, cmap=HEAT, vmin=0, aspect="auto")
    colors = np.asarray(image.to_rgba(table.to_numpy()))
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        ink = readable_on(*colors[row, column, :3])
        axis.text(column, row, f"{value:.0f}", color=ink, fontsize=7.5, ha="center", va="center")
    axis.set_xticks(range(table.shape[1]), [label(name) for name in table.columns])
    axis.tick_params(axis="x", rotation=60)
    for text in axis.get_xticklabels():
        text.set(ha="right", rotation_mode="anchor")
    _name_features(axis, [""] * len(table))
    axis.spines["bottom"].set_color(FAINT)
    axis.set_title("every variant, integrated gradients, %", loc="left", fontsize=NORMAL, color=INK)
