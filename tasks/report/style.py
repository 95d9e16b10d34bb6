"""The look that all figures share, set on each figure: nothing here changes matplotlib's state."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, FAINT, PAPER = "#1b1f24", "#5f6b7a", "#dde1e7", "#ffffff"
BLUE, SKY, GREEN = "#0072b2", "#56b4e9", "#009e73"
ORANGE, VERMILLION, PURPLE = "#e69f00", "#d55e00", "#cc79a7"
"""Okabe and Ito's colours, which colour-blind readers tell apart."""

SMALL, NORMAL, LARGE = 8.5, 9.5, 11.0
"""Font sizes in points; a figure is shown at about 100 pixels an inch."""

WIDTH = 11.0
"""Inches: the width of the report's column."""

DPI = 130


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


def sheet(height: float, width: float = WIDTH) -> Figure:
    """A white figure of ``width`` x ``height`` inches without axes."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor=PAPER)


def undecorate(axis: Axes) -> None:
    """Leave what carries information: no box, no tick marks, quiet tick labels."""
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.spines["bottom"].set_color(FAINT)
    axis.tick_params(length=0, labelsize=SMALL, labelcolor=INK)


def describe(axis: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Title at the left, axis labels with units."""
    if title:
        axis.set_title(title, loc="left", fontsize=LARGE, color=INK, fontweight="bold")
    axis.set_xlabel(x, fontsize=NORMAL, color=MUTED)
    axis.set_ylabel(y, fontsize=NORMAL, color=MUTED)


def grid(axis: Axes, along: str = "x") -> None:
    """Faint lines behind the data, crossing the ``along`` axis."""
    axis.grid(True, axis=along, color=FAINT, linewidth=0.7)  # type: ignore[arg-type]  # x or y
    axis.set_axisbelow(True)


def readable_on(red: float, green: float, blue: float) -> str:
    """Ink or paper, whichever reads on a ground of these components in [0, 1] (WCAG luminance)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
    ]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], linear))
    return INK if luminance > 0.3 else PAPER


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Positions of labels moved as little as needed to lie ``gap`` apart, their order kept.

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


def render(figure: Figure) -> bytes:
    """The figure as PNG."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
