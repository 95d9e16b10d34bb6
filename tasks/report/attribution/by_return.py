"""Age of the returns that a comparison's forecasts depend on, by variant."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from foldproof.tasks.report import style
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import label

AGES = {"0 to 4 days": 4, "5 to 20": 20, "21 to 62": 62, "63 and more": 10**9}
"""Oldest lag of each age of the stock's own returns."""
COLOURS = dict(
    zip(
        (*AGES, "all else"),
        (style.BLUE, style.SKY, style.GREEN, style.PURPLE, style.ORANGE),
        strict=True,
    )
)
"""All else: returns of other stocks at any age, price levels, volumes."""


def age_shares(table: pd.DataFrame) -> pd.DataFrame:
    """(variant) x (age, all else): shares of the absolute attribution; each row sums to 1."""
    age = np.array(list(AGES))[np.searchsorted(list(AGES.values()), table["lag"].astype(int))]
    kind = np.where(table["part"] == "own returns", age, "all else")
    sums = table.groupby(["variant", kind], sort=False)["absolute"].sum().unstack(fill_value=0)
    shares = sums.reindex(columns=list(COLOURS), fill_value=0.0).astype(float)
    return shares.div(shares.sum(axis=1), axis=0)


def by_return_figure(results: Results) -> Figure:
    """A bar per variant, best first; a reason instead where features have no derivative."""
    paths = results.attribution.newest.to_prices
    shares = age_shares(results.attribution.newest.by_return)
    order = [name for name in results.ranking.index if name in set(paths["variant"])]
    figure, axis = style.one_axis(1.5 + 0.28 * len(order))
    style.share_bars(axis, shares.reindex(order, fill_value=0.0), COLOURS, "")
    complete = paths.groupby("variant")["resolved"].all()
    for place, name in enumerate(order):
        if name not in shares.index:
            why = paths.loc[paths["variant"] == name, "stops"].iloc[0]
            axis.text(
                0.005, place, f"attributed to features only: {why}", va="center",
                fontsize=style.SMALL,
            )  # fmt: skip
    bad = {name: not complete[name] and name in shares.index for name in order}
    style.name_rows(axis, [label(name) + "  (does not add up)" * bad[name] for name in order])
    style.describe(axis, x="share of the absolute attribution to prices; own returns by age")
    return figure
