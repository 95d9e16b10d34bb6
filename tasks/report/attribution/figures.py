"""Figures of the attributions: which features, at which lags, by which method."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS, DEFAULT, MAIN
from foldproof.tasks.report import style
from foldproof.tasks.report.attribution.shares import (
    best_attributed,
    failed_checks,
    importance_shares,
    of_best,
    ranked_features,
    shares,
)
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import label, listed

HEAT = "Blues"
MARKS = dict(
    zip(DEFAULT, ((style.BLUE, "o"), (style.ORANGE, "s"), (style.PURPLE, "^")), strict=True)
)
"""Colour and marker of each default method."""
SCALE = "share of the absolute attribution, %"


def heatmap_of(lagged: pd.DataFrame, title: str = "", order: Sequence[str] | None = None) -> Figure:
    """One heat map, feature x lag, of one variant and fold, for a tracker's image grid.

    Positions are computed here, because a layout engine takes five times as long and every variant
    and fold is drawn.

    Args:
        lagged: Rows of one variant: method, feature, lag, absolute. Integrated gradients are drawn.
        title: Title of the figure.
        order: Features from the top down; by default by their gross share.
    """
    table = shares(lagged[lagged.method == MAIN], order)
    rows, names = 0.26 * len(table), 0.3 + 0.075 * max(map(len, table.index))
    height, width = rows + 1.0, names + 5.2
    figure = Figure(figsize=(width, height), dpi=100, facecolor=style.PAPER)
    axis, bar = (
        figure.add_axes((left / width, 0.6 / height, size / width, rows / height))
        for left, size in ((names, 4.2), (names + 4.32, 0.12))
    )
    style.undecorate(axis)
    image = _heat(axis, table, float(table.to_numpy().max()))
    style.name_rows(axis, list(table.index))
    style.describe(axis, title, x=style.LAG_AXIS)
    style.colour_scale(axis, image, SCALE, cax=bar)
    return figure


def heatmaps_of(
    lagged: pd.DataFrame, name: str, order: Sequence[str]
) -> Iterator[tuple[int, bytes]]:
    """Fold and heat map, as PNG, of every fold of one variant.

    The folds share one figure, because making its axes takes as long as drawing it.

    Args:
        lagged: Rows of one variant: fold, method, feature, lag, absolute.
        name: The variant, for the titles.
        order: Features from the top down.
    """
    figure = None
    for fold, rows in lagged.groupby("fold"):
        title = f"{name}, fold {fold}"
        if figure is None:
            figure = heatmap_of(rows, title, order)
        else:
            table = shares(rows[rows.method == MAIN], order)
            axis = figure.axes[0]
            axis.images[0].set_data(table.to_numpy())
            axis.images[0].set_clim(0, float(table.to_numpy().max()))
            style.describe(axis, title, x=style.LAG_AXIS)
        yield int(str(fold)), style.render(figure)


def attribution_heatmap(results: Results) -> Figure:
    """The best candidate large, all others small beside it, on one colour scale."""
    best = str(best_attributed(results))
    lagged = results.attribution.lagged
    net = ranked_features(results.attribution.importance, best)
    by_variant = {
        name: shares(rows[rows.method == MAIN], list(net.index))
        for name, rows in lagged.groupby("variant", sort=False)
    }
    rest = [n for n in results.ranking.index if n in by_variant and n != best]
    ceiling = float(np.quantile([t.to_numpy().max() for t in by_variant.values()], 0.8))
    figure = style.sheet(max(2.0 + 0.22 * len(net), 0.6 + 0.95 * -(-len(rest) // 3)))
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.15, 1.0])[0]
    axis = left.subplots()
    style.undecorate(axis)
    image = _heat(axis, by_variant[best], ceiling)
    named = [f"{style.shortened(str(name))}  {share:.0f}%" for name, share in net.items()]
    style.name_rows(axis, named)
    style.describe(axis, label(best), x=style.LAG_AXIS)
    style.colour_scale(axis, image, SCALE, fraction=0.03, extend="max")
    checks = results.attribution.newest.checks
    failed = {
        name: failed_checks(checks[checks["variant"] == name]) for name in set(checks["variant"])
    }
    if failed.get(best):
        text = f"{label(best)}: unreliable attribution, fails {listed(failed[best])}"
        style.headline(figure, text, warning=True)
    panels = list(right.subplots(-(-len(rest) // 3), 3, squeeze=False).flat) if rest else []
    for axis in panels:
        style.undecorate(axis)
        axis.set_axis_off()
    for axis, name in zip(panels, rest, strict=False):
        _heat(axis, by_variant[name], ceiling)
        title = label(name) + " (fails)" * bool(failed.get(name))
        axis.set_title(title, loc="left", fontsize=style.SMALL, color=style.INK)
    return figure


def _heat(axis: Axes, table: pd.DataFrame, ceiling: float) -> AxesImage:
    """Share by feature and lag; the newest lag is at the right."""
    lags = [int(lag) for lag in table.columns]
    image = style.heat_map(axis, table, HEAT, (0, ceiling))
    ticks = [position for position, lag in enumerate(lags) if lag % 5 == 0]
    axis.set_xticks(ticks, [str(lags[position]) for position in ticks])
    return image


def importance_by_method(results: Results) -> Figure:
    """Left: the best candidate, every default method with its range over folds. Right: variants."""
    best = str(best_attributed(results))
    importance = results.attribution.importance
    order = list(ranked_features(importance, best).index)
    figure, axes = style.canvas(1.6 + 0.3 * len(order), 1, 2, widths=[1.0, 1.25])
    own = of_best(results, importance)
    _methods(axes[0, 0], own[own["method"].isin(MARKS)], order)
    style.describe(
        axes[0, 0], label(best), x="share of importance, % (line: lowest to highest fold)"
    )
    by_variant = importance_shares(importance[importance["method"] == MAIN], "variant")
    names = [name for name in results.ranking.index if name in by_variant.index]
    table, axis = by_variant.loc[names, order].T, axes[0, 1]
    style.heat_map(axis, table, HEAT, (0, float(table.to_numpy().max())), ".0f")
    style.slant_columns(axis, [label(name) for name in names], 60)
    style.name_rows(axis, [""] * len(table))
    title = f"every variant, {ATTRIBUTIONS[MAIN].title}, %"
    axis.set_title(title, loc="left", fontsize=style.NORMAL, color=style.INK)
    return figure


def _methods(axis: Axes, own: pd.DataFrame, order: list[str]) -> None:
    """A mark per method at the share over all folds, a line from the lowest to the highest fold."""
    by_fold = importance_shares(own, "method", "fold")[order]
    overall = importance_shares(own, "method")[order]
    methods = [method for method in MARKS if method in overall.index]
    for shift, method in zip(np.linspace(-0.25, 0.25, len(methods)), methods, strict=True):
        color, marker = MARKS[method]
        places, rows = np.arange(len(order)) + shift, by_fold.loc[method]
        axis.hlines(places, rows.min(), rows.max(), color=color, linewidth=1.6, alpha=0.5)
        axis.plot(
            overall.loc[method], places, marker, color=color, markersize=5,
            label=ATTRIBUTIONS[method].title,
        )  # fmt: skip
    style.name_rows(axis, order)
    axis.set_xlim(left=0)
    style.legend(axis, "lower right")
    style.grid(axis)
