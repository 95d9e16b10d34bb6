"""An explained forecast in daily returns: what rests on which day, in words and as a figure."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from foldproof.tasks.attribute.explain import Explanation
from foldproof.tasks.attribute.origins.price_result import PARTS, FromPrices
from foldproof.tasks.report.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    SMALL,
    VERMILLION,
    canvas,
    describe,
    grid,
)

COLOURS = dict(zip(PARTS, (BLUE, ORANGE, PURPLE, SKY), strict=True))
DAYS = 10
"""Days that the table shows."""
TAIL = 0.01
"""Share of the sizes that rests on days so old that the figure leaves them out."""
NEGLIGIBLE = 1e-9
"""A part below this share of all is not told of."""


def prices_sentence(one: Explanation) -> str:
    """What of the change rests on which returns; or why that cannot be told. Empty if unasked."""
    if one.prices is None:
        return f"It stops at the features: {one.stops}." if one.stops else ""
    days = one.prices.by_day()
    new = days["lag"] < one.prices.shift
    own, others = days["own returns"], days["other returns"]
    said = (
        f"By day: {own[new].sum():+.3g} of the change rests on {one.symbol}'s own returns since "
        f"{one.against}, {own[~new].sum():+.3g} on its earlier ones, which have aged, "
        f"{others.sum():+.3g} on other stocks' returns"
    )
    more = "".join(f", {days[part].sum():+.3g} on {part}" for part in told(days)[2:])
    return f"{said}{more}. {_largest(days)} {_adds(one.prices)}"


def told(days: pd.DataFrame) -> list[str]:
    """PARTS, the last two of them where anything rests on them but rounding."""
    sizes = days[list(PARTS)].abs().sum()
    return [*PARTS[:2], *(part for part in PARTS[2:] if sizes[part] > NEGLIGIBLE * sizes.sum())]


def _largest(days: pd.DataFrame) -> str:
    """The own return that most rests on."""
    day = days.iloc[int(days["own returns"].abs().to_numpy().argmax())]
    return (
        f"Most on one day: {day['own returns']:+.3g} on its return of {day['moved']:+.2%} of "
        f"{day['date']:%Y-%m-%d}, {day['lag']} trading days back."
    )


def _adds(found: FromPrices) -> str:
    """Whether it adds up."""
    if found.resolved:
        return "It adds up."
    return f"NOT TO BE TRUSTED: days miss the change by {abs(found.gap):.1e} of the date's spread."


def prices_table(found: FromPrices) -> str:
    """The days that most rests on, in Markdown."""
    days = found.by_day()
    size = days[list(PARTS)].abs().sum(axis=1).sort_values(ascending=False, kind="stable")
    parts = told(days)
    head = ["date", "days back", "own log return", *parts]
    lines = [head, ["---"] * len(head)]
    for _, day in days.loc[size.index[:DAYS]].iterrows():
        row = [f"{day['date']:%Y-%m-%d}", f"{day['lag']}", f"{day['moved']:+.4f}"]
        lines.append(row + [f"{day[part]:+.4g}" for part in parts])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def drawn(days: pd.DataFrame, shift: int) -> tuple[pd.DataFrame, float]:
    """The newest days, on which all but TAIL of the absolute attribution rests; and what is left.

    What came new is drawn whole, whatever rests on it.
    """
    size = days[list(PARTS)].abs().sum(axis=1)
    older = 1 - size.cumsum() / size.sum() if size.sum() > 0 else 0 * size
    kept = (older.shift(fill_value=1.0) > TAIL) | (days["lag"] <= shift)
    return days[kept], float(size[~kept].sum() / size.sum()) if not kept.all() else 0.0


def prices_figure(one: Explanation, found: FromPrices) -> Figure:
    """A bar a day, the newest at the right, split by what the day's attribution is of."""
    days, left = drawn(found.by_day(), found.shift)
    figure, axes = canvas(3.4)
    axis = axes[0, 0]
    above, below = np.zeros(len(days)), np.zeros(len(days))
    for part in told(days):
        values = days[part].to_numpy()
        base = np.where(values > 0, above, below)
        axis.bar(days["lag"], values, bottom=base, width=0.9, color=COLOURS[part], label=part)
        above, below = above + values.clip(0), below + values.clip(max=0)
    axis.axvline(found.shift - 0.5, color=INK, linewidth=0.8, linestyle=":")
    axis.axhline(0, color=MUTED, linewidth=0.8)
    axis.set_xlim(days["lag"].max() + 1, days["lag"].min() - 1)
    grid(axis, "y")
    describe(
        axis,
        x="trading days back; new at the right of the dotted line"
        + (f"; on older days than shown rests {left:.1%} of the sizes" if left else ""),
        y="attribution, target units",
    )
    axis.legend(frameon=False, fontsize=SMALL, loc="upper left")
    warning = "" if found.resolved else "  NOT TO BE TRUSTED: attributions do not add up"
    figure.suptitle(
        f"{one.symbol}, {one.date}: the day of the return that the change since {one.against} "
        f"rests on   [{one.variant}]{warning}",
        x=0.01, ha="left", fontsize=11, color=INK if found.resolved else VERMILLION,
    )  # fmt: skip
    return figure
