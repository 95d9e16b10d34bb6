"""An explained forecast as text, table and figure."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foldproof.tasks.attribute.explain import Explanation
from foldproof.tasks.attribute.origins.origins import ORIGINS
from foldproof.tasks.markdown import escaped, markdown_table
from foldproof.tasks.report import style
from foldproof.tasks.report.attribution.explained_days import (
    days_sentence,
    days_table,
    signed_bars,
    stated,
)
from foldproof.tasks.report.attribution.origins import COLOURS
from foldproof.tasks.report.text import label

NAMED = 3
"""Features that the text names."""
UNRELIABLE = "   Unreliable: the attributions do not add up"


def explanation_sentence(one: Explanation) -> str:
    """The forecast, what changed it, on which rows it depends, and whether it adds up."""
    change = one.forecast - one.before
    opening = (
        f"The forecast for {one.symbol} on {one.date} is {one.forecast:+.3g} (rank {one.rank} of "
        f"{one.count}), {abs(change):.3g} {'above' if change >= 0 else 'below'} the forecast of "
        f"{one.before:+.3g} by the same model on the rows up to {one.against}."
    )
    totals = one.totals()
    causes = [f"{name} {value:+.3g}" for name, value in totals.items()][:NAMED]
    if len(totals) > NAMED:
        causes.append(f"all others {totals.iloc[NAMED:].sum():+.3g}")
    split = f" By feature: {', '.join(causes)}." if causes else ""
    places = ", ".join(f"{share:.0%} {name}" for name, share in one.shares().items() if share > 0)
    return f"{opening}{split} By rows: {places}. {completeness(one)} {days_sentence(one)}".rstrip()


def completeness(one: Explanation) -> str:
    """Whether the attributions add up to the change of the forecast."""
    if one.by_lag is None:
        return "These are Shapley values, because ranks have no derivative."
    return stated(one.gap, one.trusted)


def explanation_table(one: Explanation) -> pd.DataFrame:
    """A row per feature, largest first: the attribution by origin and in all, in target units."""
    table = one.by_feature.pivot_table(
        index="feature", columns="origin", values="attribution", aggfunc="sum", sort=False
    )
    return table[list(ORIGINS)].loc[one.totals().index].assign(all=one.totals())


def explanation_text(one: Explanation) -> str:
    """Text and tables in Markdown."""
    table = explanation_table(one)
    rows = [[str(name), *(f"{v:+.4g}" for v in values)] for name, *values in table.itertuples()]
    body = markdown_table(["feature", *map(str, table.columns)], rows)
    days = f"\n{days_table(one.prices)}" if one.prices else ""
    return f"{escaped(explanation_sentence(one))}\n\n{body}{days}"


def explanation_figure(one: Explanation) -> Figure:
    """Left: features by size, split by origin of the rows. Right: the own window by lag."""
    table = explanation_table(one).drop(columns="all")
    lagged = one.by_lag is not None
    widths = [1.0, 1.2] if lagged else [1.0]
    figure, axes = style.canvas(1.7 + 0.27 * len(table), 1, len(widths), widths=widths)
    _bars(axes[0, 0], table)
    if lagged:
        _window(axes[0, 1], pd.DataFrame(one.by_lag, columns=list(one.features))[table.index].T)
    style.headline(
        figure,
        f"{one.symbol}, {one.date}: change of the forecast from {one.before:+.3g} ({one.against}) "
        f"to {one.forecast:+.3g}   [{label(one.variant)}]" + UNRELIABLE * (not one.trusted),
        warning=not one.trusted,
    )
    return figure


def _bars(axis: Axes, table: pd.DataFrame) -> None:
    """Bars stacked to both sides of zero, a mark at their sum."""
    places = np.arange(len(table))
    signed_bars(axis.barh, places, table, COLOURS, height=0.7)
    axis.plot(
        table.sum(axis=1), places, "D", color=style.INK, markersize=4, markerfacecolor=style.PAPER,
        label="sum",
    )  # fmt: skip
    axis.axvline(0, color=style.MUTED, linewidth=0.8)
    axis.margins(x=0.08)
    style.name_rows(axis, list(table.index))
    style.grid(axis)
    style.describe(axis, "by feature and origin of the rows", x="attribution, target units")
    style.legend(axis, "best")


def _window(axis: Axes, table: pd.DataFrame) -> None:
    """Own window, oldest row at the left; red raises the forecast, blue lowers it."""
    size = float(np.abs(table.to_numpy()).max()) or 1.0
    image = style.heat_map(axis, table, "RdBu_r", (-size, size))
    last = table.shape[1] - 1
    ticks = [place for place in range(table.shape[1]) if (last - place) % 5 == 0]
    axis.set_xticks(ticks, [str(last - place) for place in ticks])
    axis.set_yticks([])
    style.describe(axis, "own window, same features", x=style.LAG_AXIS)
    style.colour_scale(axis, image, "attribution, target units", fraction=0.04, pad=0.02)
