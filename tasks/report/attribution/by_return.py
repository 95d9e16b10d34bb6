"""How far back the returns stand that a comparison's forecasts rest on, variant by variant."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from foldproof.tasks.report.results import Results, label, names
from foldproof.tasks.report.style import BLUE, GREEN, ORANGE, PURPLE, SKY, SMALL, canvas, describe

AGES = {"0 to 4 days": 4, "5 to 20": 20, "21 to 62": 62, "63 and more": 10**9}
"""Oldest lag of each age of the own returns."""
COLOURS = dict(zip((*AGES, "all else"), (BLUE, SKY, GREEN, PURPLE, ORANGE), strict=True))
"""All else: returns of other stocks at any age, price levels, volumes."""


def age_shares(table: pd.DataFrame) -> pd.DataFrame:
    """(variant) x (age, all else): shares of the absolute attribution, each row adds up to 1."""
    age = np.array(list(AGES))[np.searchsorted(list(AGES.values()), table["lag"].astype(int))]
    kind = np.where(table["part"] == "own returns", age, "all else")
    sums = table.groupby(["variant", kind], sort=False)["absolute"].sum().unstack(fill_value=0)
    shares = sums.reindex(columns=list(COLOURS), fill_value=0.0).astype(float)
    return shares.div(shares.sum(axis=1), axis=0)


def by_return_figure(results: Results) -> Figure:
    """A bar a variant, best first; what stops at the features says so in place of a bar."""
    told = results.attribution.newest.to_prices
    shares = age_shares(results.attribution.newest.by_return)
    order = [name for name in results.ranking.index if name in set(told["variant"])]
    figure, axes = canvas(1.5 + 0.28 * len(order))
    axis, start = axes[0, 0], np.zeros(len(order))
    for kind, colour in COLOURS.items():
        width = shares[kind].reindex(order, fill_value=0.0).to_numpy()
        axis.barh(range(len(order)), width, left=start, height=0.72, color=colour, label=kind)
        start = start + width
    resolved = told.groupby("variant")["resolved"].all()
    for place, name in enumerate(order):
        if name not in shares.index:
            why = told.loc[told["variant"] == name, "stops"].iloc[0]
            axis.text(0.005, place, f"stops at the features: {why}", va="center", fontsize=SMALL)
    bad = {name: not resolved[name] and name in shares.index for name in order}
    axis.set_yticks(
        range(len(order)), [label(n) + "  (does not add up)" * bad[n] for n in order]
    )  # fmt: skip
    axis.set_ylim(len(order) - 0.5, -0.5)
    axis.set_xlim(0, 1)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    describe(axis, x="share of the absolute attribution to prices; own returns by days back")
    axis.legend(
        ncols=len(COLOURS), frameon=False, fontsize=SMALL, loc="lower left", bbox_to_anchor=(0, 1)
    )  # fmt: skip
    return figure


def stops_sentence(results: Results) -> str:
    """Which variants stop at the features, and why; empty where none does or nobody asked."""
    told = results.attribution.newest.to_prices
    stopped = told[told["stops"] != ""]
    reasons = stopped.groupby("stops", sort=False)["variant"].unique()
    return "".join(
        f"Taken back to prices, {names(map(label, variants))} stop at the features: {why}. "
        for why, variants in reasons.items()
    )
