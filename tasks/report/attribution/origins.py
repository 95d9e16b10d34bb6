"""Rows that forecasts depend on: own window, earlier rows, other symbols, rows not yet known."""

import pandas as pd
from matplotlib.figure import Figure

from foldproof.tasks.attribute.origins.origins import ORIGINS, origin_shares
from foldproof.tasks.report import style
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import label

COLOURS = dict(zip(ORIGINS, (style.BLUE, style.GREEN, style.ORANGE, style.VERMILLION), strict=True))


def origins_figure(results: Results) -> Figure:
    """A bar per variant, best first, split by the origin of the rows."""
    found = results.attribution.newest
    by_variant = found.origins.groupby("variant", sort=False)
    shares = pd.DataFrame({name: origin_shares(rows) for name, rows in by_variant}).T
    order = [name for name in results.ranking.index if name in shares.index]
    figure, axis = style.one_axis(1.5 + 0.28 * len(order))
    style.share_bars(axis, shares.loc[order], COLOURS, ".0%")
    complete = found.supplied.groupby("variant")["resolved"].all()
    style.name_rows(
        axis, [label(name) + "  (does not add up)" * (not complete[name]) for name in order]
    )
    style.describe(axis, x="share of the absolute attribution to supplied features")
    return figure
