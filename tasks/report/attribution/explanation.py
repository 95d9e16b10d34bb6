"""An explained forecast as sentence, table and figure."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foldproof.tasks.attribute.explain import Explanation
from foldproof.tasks.attribute.origins.origins import ORIGINS
from foldproof.tasks.report.attribution.origins import COLOURS
from foldproof.tasks.report.attribution.returns import prices_sentence, prices_table
from foldproof.tasks.report.style import FAINT, INK, MUTED, SMALL, VERMILLION, canvas, describe

NAMED = 3
"""Features that the sentence names."""
DIVERGING = "RdBu_r"


def explanation_sentence(one: Explanation) -> str:
    """What the forecast is, what changed it, where that stands, and whether it adds up."""
    change = one.forecast - one.before
    opening = (
        f"{one.symbol} on {one.date} is forecast at {one.forecast:+.3g} (rank {one.rank} of "
        f"{one.count}), {abs(change):.3g} {'above' if change >= 0 else 'below'} the same model's "
        f"{one.before:+.3g} on the rows up to {one.against}."
    )
    totals = one.totals()
    named = [f"{name} {value:+.3g}" for name, value in totals.items()][:NAMED]
    rest = totals.iloc[NAMED:].sum()
    causes = f" Of that: {', '.join(named)}" if named else ""
    causes += f", all others {rest:+.3g}." if named and len(totals) > NAMED else "." * bool(named)
    places = ", ".join(f"{share:.0%} {name}" for name, share in one.shares().items() if share > 0)
    said = f"{opening}{causes} It rests on: {places}. {completeness(one)}"
    return f"{said} {prices_sentence(one)}".rstrip()


def completeness(one: Explanation) -> str:
    """Whether the attributions can be believed to add up."""
    if one.by_lag is None:
        return "Shapley values of features and places, as ranks have no derivative."
    size = f"the attributions miss the change by {abs(one.gap):.1e} of the date's spread"
    return f"{size[0].upper()}{size[1:]}." if one.trusted else f"NOT TO BE TRUSTED: {size}."


def explanation_table(one: Explanation) -> pd.DataFrame:
    """A row a feature, largest first: the attribution by place and in all, in target units."""
    table = one.by_feature.pivot_table(
        index="feature", columns="origin", values="attribution", aggfunc="sum", sort=False
    )
    return table[list(ORIGINS)].loc[one.totals().index].assign(all=one.totals())


def explanation_text(one: Explanation) -> str:
    """Sentence and tables in Markdown."""
    table = explanation_table(one)
    head = ["feature", *map(str, table.columns)]
    rows = [[str(name), *(f"{v:+.4g}" for v in values)] for name, *values in table.itertuples()]
    lines = [head, ["---"] * len(head), *rows]
    body = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    days = f"\n{prices_table(one.prices)}" if one.prices else ""
    return f"{explanation_sentence(one)}\n\n{body}{days}"


def explanation_figure(one: Explanation) -> Figure:
    """Left: features by size, split by place. Right: the own window, feature by lag."""
    table = explanation_table(one).drop(columns="all")
    lagged = one.by_lag is not None
    widths = [1.0, 1.2] if lagged else [1.0]
    figure, axes = canvas(1.7 + 0.27 * len(table), 1, len(widths), widths=widths)
    _bars(axes[0, 0], table)
    if lagged:
        _cells(axes[0, 1], pd.DataFrame(one.by_lag, columns=list(one.features))[table.index].T)
    warning = "" if one.trusted else "  NOT TO BE TRUSTED: attributions do not add up"
    figure.suptitle(
        f"{one.symbol}, {one.date}: what moved the forecast from {one.before:+.3g} ({one.against}) "
        f"to {one.forecast:+.3g}   [{one.variant}]{warning}",
        x=0.01, ha="left", fontsize=11, color=INK if one.trusted else VERMILLION,
    )  # fmt: skip
    return figure


def _bars(axis: Axes, table: pd.DataFrame) -> None:
    """Stacked to both sides of zero."""
    places = np.arange(len(table))
    for sign in (1, -1):
        base = np.zeros(len(table))
        for name in table.columns:
            part = np.where(np.sign(table[name]) == sign, table[name], 0.0)
            if part.any():
                known = name in axis.get_legend_handles_labels()[1]
                axis.barh(
                    places, part, left=base, height=0.7, color=COLOURS[name],
                    label=None if known else name,
                )  # fmt: skip
                base += part
    axis.axvline(0, color=MUTED, linewidth=0.8)
    axis.set_yticks(places, table.index)
    axis.set_ylim(len(table) - 0.5, -0.5)
    axis.grid(axis="x", color=FAINT, linewidth=0.6)
    axis.set_axisbelow(True)
    describe(axis, "by feature and place of the rows", x="attribution, target units")
    axis.legend(frameon=False, fontsize=SMALL, loc="best")


def _cells(axis: Axes, table: pd.DataFrame) -> None:
    """Own window, oldest row at the left as time runs; red raises the forecast, blue lowers it."""
    size = float(np.abs(table.to_numpy()).max()) or 1.0
    image = axis.imshow(table, cmap=DIVERGING, vmin=-size, vmax=size, aspect="auto")
    last = table.shape[1] - 1
    ticks = [place for place in range(table.shape[1]) if (last - place) % 5 == 0]
    axis.set_xticks(ticks, [str(last - place) for place in ticks])
    axis.set_yticks([])
    axis.spines["bottom"].set_visible(False)
    describe(axis, "own window, same features", x="lag in trading days (0 = newest)")
    bar = axis.figure.colorbar(image, ax=axis, fraction=0.04, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, length=0)
    bar.set_label("attribution, target units", fontsize=SMALL, color=MUTED)
