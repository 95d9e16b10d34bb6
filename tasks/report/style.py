"""The common look of all figures, set on each figure without changing matplotlib's state."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from threading import Lock
from typing import Any
from warnings import catch_warnings, filterwarnings

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text

from foldproof.tasks.report.text import minus

INK, MUTED, FAINT, PAPER = "#1b1f24", "#5f6b7a", "#dde1e7", "#ffffff"
BLUE, SKY, GREEN = "#0072b2", "#56b4e9", "#009e73"
ORANGE, VERMILLION, PURPLE = "#e69f00", "#d55e00", "#cc79a7"
"""Okabe and Ito's palette, readable for colour-blind people."""

SMALL, NORMAL, LARGE = 8.5, 9.5, 11.0
"""Font sizes in points; the page shows a figure at about 100 pixels per inch."""

READABLE = 0.06
"""Smallest share of a bar that carries its number."""

WIDTH = 11.0
"""Inches: the width of the report's column."""

DATES = 6
"""Dates named below an axis."""
DPI = 130
LAG_AXIS = "lag in trading days (0 = newest)"


def canvas(
    height: float,
    rows: int = 1,
    columns: int = 1,
    *,
    width: float = WIDTH,
    widths: Sequence[float] | None = None,
    heights: Sequence[float] | None = None,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, np.ndarray]:
    """A white figure of ``width`` x ``height`` inches and its bare axes, (rows, columns)."""
    figure = sheet(height, width)
    given = {"width_ratios": widths, "height_ratios": heights}
    ratios = {name: values for name, values in given.items() if values is not None}
    axes = figure.subplots(
        rows, columns, squeeze=False, sharex=sharex, sharey=sharey, gridspec_kw=ratios
    )
    for axis in axes.flat:
        undecorate(axis)
    return figure, axes


def one_axis(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A white figure and its only axis, which is bare."""
    figure, axes = canvas(height, width=width)
    return figure, axes[0, 0]


def sheet(height: float, width: float = WIDTH) -> Figure:
    """A white figure of ``width`` x ``height`` inches without axes."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor=PAPER)


def undecorate(axis: Axes) -> None:
    """No box, no tick marks, quiet tick labels."""
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.spines["bottom"].set_color(FAINT)
    axis.tick_params(length=0, labelsize=SMALL, labelcolor=INK)


def describe(axis: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Title at the left, and axis labels."""
    if title:
        axis.set_title(title, loc="left", fontsize=LARGE, color=INK, fontweight="bold")
    axis.set_xlabel(x, fontsize=NORMAL, color=MUTED)
    axis.set_ylabel(y, fontsize=NORMAL, color=MUTED)


def grid(axis: Axes, along: str = "x") -> None:
    """Faint lines behind the data, perpendicular to the ``along`` axis."""
    axis.grid(True, axis=along, color=FAINT, linewidth=0.7)  # type: ignore[arg-type]  # x or y
    axis.set_axisbelow(True)


def name_rows(axis: Axes, names: Sequence[str], colours: Sequence[str] = ()) -> None:
    """Names of the rows at the left, the first row on top; in ``colours``, or all in ink."""
    axis.set_yticks(range(len(names)), [shortened(name, SHOWN + 10) for name in names])
    axis.set_ylim(max(len(names), 1) - 0.5, -0.5)
    for text, colour in zip(axis.get_yticklabels(), colours, strict=False):
        text.set_color(colour)


def slant_columns(axis: Axes, names: Sequence[str], degrees: float = 50) -> None:
    """Names of the columns below the axis, slanted so that long ones fit."""
    axis.set_xticks(range(len(names)), [shortened(name, SHOWN + 10) for name in names])
    axis.tick_params(axis="x", rotation=degrees)
    for tick in axis.get_xticklabels():
        tick.set(ha="right", rotation_mode="anchor")


def heat_map(
    axis: Axes,
    table: pd.DataFrame,
    cmap: str,
    limits: tuple[float, float],
    form: str = "",
    cells: pd.DataFrame | None = None,
) -> AxesImage:
    """A table as colours; with ``form``, its numbers (or those of ``cells``) in the cells."""
    image = axis.imshow(table, cmap=cmap, vmin=limits[0], vmax=limits[1], aspect="auto")
    axis.spines["bottom"].set_visible(False)
    colors = np.asarray(image.to_rgba(table.to_numpy(float)))
    shown = (table if cells is None else cells).to_numpy(float)
    for (row, column), value in np.ndenumerate(shown) if form else ():
        known = bool(np.isfinite(value))
        axis.text(
            column, row, minus(format(value, form)) if known else "–", fontsize=SMALL,
            color=readable_on(*colors[row, column, :3]) if known else MUTED,
            ha="center", va="center",
        )  # fmt: skip
    return image


def colour_scale(axis: Axes, image: AxesImage, title: str = "", **place: Any) -> None:
    """A colour bar beside an axis, without frame and ticks."""
    bar = axis.figure.colorbar(image, ax=axis, **{"fraction": 0.025, "pad": 0.01} | place)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, length=0)
    bar.set_label(title, fontsize=SMALL, color=MUTED)


def share_bars(axis: Axes, shares: pd.DataFrame, colours: Mapping[str, str], form: str) -> None:
    """A horizontal bar per row, split by column; large parts carry their share as a number.

    Args:
        axis: Where to draw.
        shares: Rows that sum to 1 each.
        colours: Colour of each column, in the order of drawing.
        form: Format of the numbers; empty for none.
    """
    start = np.zeros(len(shares))
    for name, colour in colours.items():
        width = shares[name].to_numpy(float)
        axis.barh(range(len(shares)), width, left=start, height=0.72, color=colour, label=name)
        for place, (begin, size) in enumerate(zip(start, width, strict=True)):
            if form and size >= READABLE:
                axis.text(
                    begin + size / 2, place, format(size, form), color=PAPER, fontsize=SMALL,
                    ha="center", va="center",
                )  # fmt: skip
        start = start + width
    axis.set_xlim(0, 1)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    legend(axis, "lower left", ncols=len(colours), labelcolor=INK, bbox_to_anchor=(0, 1))


def legend(place: Axes | Figure, loc: str, **look: Any) -> None:
    """A legend in small letters, without a frame."""
    usual: dict[str, Any] = {"loc": loc, "frameon": False, "fontsize": SMALL}
    place.legend(**usual | look)


def legend_above(figure: Figure, handles: Sequence[Artist], **look: Any) -> None:
    """One legend for all axes, in a row above them."""
    row = {"handles": handles, "ncols": len(handles), "labelcolor": INK}
    legend(figure, "outside upper left", **row | look)


def name_dates(axis: Axes, dates: Sequence[str]) -> None:
    """Some of the dates of the columns below the axis, evenly spaced."""
    shown = np.unique(np.linspace(0, len(dates) - 1, DATES).round().astype(int))
    axis.set_xticks(shown, [dates[place] for place in shown])


def headline(figure: Figure, text: str, warning: bool = False) -> None:
    """One line above all axes, at the left; red for a warning."""
    color = VERMILLION if warning else INK
    figure.suptitle(text, x=0.01, ha="left", fontsize=LARGE if not warning else NORMAL, color=color)


def readable_on(red: float, green: float, blue: float) -> str:
    """Ink or paper: the colour readable on this background, components in [0, 1] (WCAG)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
    ]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], linear))
    return INK if luminance > 0.3 else PAPER


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Positions of labels, moved as little as possible to be ``gap`` apart, in the same order.

    Neighbours that collide are pooled around their mean, as in isotonic regression.
    """
    order = np.argsort(positions, kind="stable")
    blocks: list[tuple[float, int]] = []
    for rank, index in enumerate(order):
        mean, count = positions[index] - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            other, size = blocks.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        blocks.append((mean, count))
    pooled = np.repeat([mean for mean, _ in blocks], [count for _, count in blocks])
    moved = np.empty(len(order))
    moved[order] = pooled + gap * np.arange(len(order))
    return moved.tolist()


def render(figure: Figure, form: str = "png") -> bytes:
    """The figure as PNG or SVG, every text as it is written.

    Dollar signs mean no mathematics, and a character that the font lacks gives no warning: a PNG
    shows an empty box for it, an SVG leaves its text to the reader's fonts. The same figure gives
    the same bytes.
    """
    buffer = BytesIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    with RENDERING, rc_context(RENDERED_WITH), catch_warnings():
        filterwarnings("ignore", "Glyph .* missing from font")
        filterwarnings("ignore", "Matplotlib currently does not support")  # scripts of India
        figure.savefig(buffer, format=form, metadata=UNDATED[form])
    return buffer.getvalue()


RENDERING = Lock()
"""Held while matplotlib's settings and the filter of warnings are changed, which threads share."""
RENDERED_WITH: Any = {
    "text.parse_math": False,  # ticks that are made while drawing
    "svg.fonttype": "none",
    "svg.hashsalt": "foldproof",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
}
UNDATED: Mapping[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
}
"""Metadata left out, so that the bytes do not depend on time and version."""
SHOWN = 40
"""Characters of a row's or column's name that a figure shows; a longer one loses its middle."""


def shortened(name: str, length: int = SHOWN) -> str:
    """``name`` with an ellipsis for the middle of a long one."""
    if len(name) <= length or "\n" in name:
        return name
    half = length // 2
    return f"{name[:half]}…{name[-half + 1 :]}"
