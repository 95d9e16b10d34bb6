"""What forecasts rest on: own window, rows before it, other symbols, rows not yet known."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from foldproof.tasks.attribute.origins.origins import ORIGINS, origin_shares
from foldproof.tasks.report.results import Results, label
from foldproof.tasks.report.style import (  # fmt: skip
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    SMALL,
    VERMILLION,
    canvas,
    describe,
)

COLOURS = dict(zip(ORIGINS, (BLUE, GREEN, ORANGE, VERMILLION), strict=True))
READABLE = 0.06
"""Shares from here on are written into their bars."""


def origins_figure(results: Results) -> Figure:
    """A bar a variant, best first, split by where the rows stand that its forecasts rest on."""
    found = results.attribution.newest
    by_variant = found.origins.groupby("variant", sort=False)
    shares = pd.DataFrame({name: origin_shares(rows) for name, rows in by_variant}).T
    order = [name for name in results.ranking.index if name in shares.index]
    shares, places = shares.loc[order], np.arange(len(order))
    figure, axes = canvas(1.5 + 0.28 * len(order))
    axis = axes[0, 0]
    start = np.zeros(len(order))
    for origin in ORIGINS:
        width = shares[origin].to_numpy()
        axis.barh(places, width, left=start, height=0.72, color=COLOURS[origin], label=origin)
        for place, (begin, size) in enumerate(zip(start, width, strict=True)):
            if size >= READABLE:
                axis.text(
                    begin + size / 2, place, f"{size:.0%}", ha="center", va="center",
                    fontsize=SMALL, color=PAPER,
                )  # fmt: skip
        start = start + width
    bad = found.supplied.groupby("variant")["resolved"].all()
    names = [label(name) + ("" if bad[name] else "  (does not add up)") for name in order]
    axis.set_yticks(places, names)
    axis.set_ylim(len(order) - 0.5, -0.5)
    axis.set_xlim(0, 1)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    describe(axis, x="share of the absolute attribution to supplied features")
    axis.legend(
        ncols=len(ORIGINS), frameon=False, fontsize=SMALL, labelcolor=INK, loc="lower left",
        bbox_to_anchor=(0, 1),
    )  # fmt: skip
    axis.tick_params(axis="x", labelcolor=MUTED)
    return figure
