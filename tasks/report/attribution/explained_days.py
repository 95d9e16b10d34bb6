"""An explained forecast by daily returns: which days changed it, as text, table and figure."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from foldproof.tasks.attribute.explain import Explanation
from foldproof.tasks.attribute.origins.price_result import PARTS, FromPrices
from foldproof.tasks.markdown import markdown_table
from foldproof.tasks.report import style
from foldproof.tasks.report.text import counted, label

COLOURS = dict(zip(PARTS, (style.BLUE, style.ORANGE, style.PURPLE, style.SKY), strict=True))
DAYS = 10
"""Days that the table shows."""
TAIL = 0.01
"""Share of the sizes on days so old that the figure leaves them out."""
NEGLIGIBLE = 1e-9
"""A part below this share of the total is not mentioned."""


def days_sentence(one: Explanation) -> str:
    """The change of the forecast by days, or why it cannot be split; empty if not requested."""
    if one.prices is None:
        return f"It cannot be split by days: {one.stops}." if one.stops else ""
    days = one.prices.by_day()
    new = days["lag"] < one.prices.shift
    own, others = days["own returns"], days["other returns"]
    parts = [
        f"{own[new].sum():+.3g} from returns of {one.symbol} since {one.against}",
        f"{own[~new].sum():+.3g} from its older returns, which moved back in the window",
        f"{others.sum():+.3g} from returns of other stocks",
        *(f"{days[part].sum():+.3g} from {part}" for part in present(days)[2:]),
    ]
    day = days.iloc[int(own.abs().to_numpy().argmax())]
    largest = (
        f"The largest single day is {day['date']:%Y-%m-%d}, {counted(day['lag'], 'trading day')} "
        f"back, with {day['own returns']:+.3g} from a return of {day['moved']:+.2%}."
    )
    return f"By day: {', '.join(parts)}. {largest} {stated(one.prices.gap, one.prices.resolved)}"


def stated(gap: float, complete: bool) -> str:
    """Whether attributions add up; ``gap`` in standard deviations of the date's forecasts."""
    size = f"{abs(gap):.1e} standard deviations of the date's forecasts"
    if complete:
        return f"The attributions add up to the change, within {size}."
    return f"Unreliable: the attributions miss the change by {size}."


def present(days: pd.DataFrame) -> list[str]:
    """PARTS, without the last two where they are zero up to rounding."""
    sizes = days[list(PARTS)].abs().sum()
    return [*PARTS[:2], *(part for part in PARTS[2:] if sizes[part] > NEGLIGIBLE * sizes.sum())]


def days_table(found: FromPrices) -> str:
    """The days with the largest attributions, in Markdown."""
    days = found.by_day()
    size = days[list(PARTS)].abs().sum(axis=1).sort_values(ascending=False, kind="stable")
    parts = present(days)
    rows = [
        [f"{day['date']:%Y-%m-%d}", f"{day['lag']}", f"{day['moved']:+.4f}"]
        + [f"{day[part]:+.4g}" for part in parts]
        for _, day in days.loc[size.index[:DAYS]].iterrows()
    ]
    return markdown_table(["date", "days back", "own log return", *parts], rows)


def shown_days(days: pd.DataFrame, shift: int) -> tuple[pd.DataFrame, float]:
    """The newest days with all but TAIL of the absolute attribution, and the share left out.

    Days since the earlier date are always shown.
    """
    size = days[list(PARTS)].abs().sum(axis=1)
    older = 1 - size.cumsum() / size.sum() if size.sum() > 0 else 0 * size
    kept = (older.shift(fill_value=1.0) > TAIL) | (days["lag"] <= shift)
    return days[kept], float(size[~kept].sum() / size.sum()) if not kept.all() else 0.0


def signed_bars(
    draw: Callable[..., Any],
    places: np.ndarray,
    parts: pd.DataFrame,
    colours: Mapping[str, str],
    **look: float,
) -> None:
    """Bars of several parts, stacked to both sides of zero; parts of zeros are left out.

    Args:
        draw: ``bar`` or ``barh`` of an axis.
        places: Position of each row.
        parts: A column per part.
        colours: Colour of each part.
        look: More arguments of ``draw``.
    """
    base = "left" if draw.__name__ == "barh" else "bottom"
    above, below = np.zeros(len(parts)), np.zeros(len(parts))
    for name in parts.columns:
        values = parts[name].to_numpy(float)
        if values.any():
            start = np.where(values > 0, above, below)
            draw(places, values, **{base: start}, color=colours[name], label=name, **look)
            above, below = above + values.clip(0), below + values.clip(max=0)


def days_figure(one: Explanation, found: FromPrices) -> Figure:
    """A bar per day, the newest at the right, split by the kind of input."""
    days, left = shown_days(found.by_day(), found.shift)
    figure, axis = style.one_axis(3.4)
    signed_bars(axis.bar, days["lag"].to_numpy(), days[present(days)], COLOURS, width=0.9)
    axis.axvline(found.shift - 0.5, color=style.INK, linewidth=0.8, linestyle=":")
    axis.axhline(0, color=style.MUTED, linewidth=0.8)
    axis.set_xlim(days["lag"].max() + 1, days["lag"].min() - 1)
    axis.margins(y=0.08)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.grid(axis, "y")
    style.describe(
        axis,
        x=f"trading days back; right of the dotted line: since {one.against}"
        + (f"; older days not shown hold {left:.1%}" if left else ""),
        y="attribution, target units",
    )
    style.legend(axis, "upper left")
    unreliable = "   Unreliable: the attributions do not add up" * (not found.resolved)
    style.headline(
        figure,
        f"{one.symbol}, {one.date}: change of the forecast since {one.against} by day of the "
        f"return   [{label(one.variant)}]{unreliable}",
        warning=not found.resolved,
    )
    return figure
