"""Realised rank IC of past scores, as their labels become known."""

from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from foldproof.tasks.data import Panel
from foldproof.tasks.operate.retraining.evidence import rank_ic
from foldproof.tasks.statistics.mean_test import dates_needed, mean_test
from foldproof.tasks.train.train import with_target


class RealisedMean(NamedTuple):
    """Mean realised rank IC over the newest dates with known labels.

    Attributes:
        dates: Number of dates.
        needed: Number of dates that an interval needs.
        mean: NaN without dates.
        low: Lower end of a two-sided interval, each side at the level; NaN with too few dates.
        high: Upper end.
        p: One-sided p-value of a true mean of at least zero; NaN with too few dates.
    """

    dates: int
    needed: int
    mean: float
    low: float
    high: float
    p: float


def realised(scores: pd.DataFrame, panel: Panel, night: date) -> pd.DataFrame:
    """Daily rank IC of past scores, on dates whose labels are known by the night.

    Args:
        scores: date, symbol, score, version; one score per date, symbol and version.
        panel: Gives the targets of rows up to the night.
        night: A label that becomes known later does not count, even if the panel has it.

    Returns:
        date, version, rank_ic, by date and version. A date with fewer than three symbols to rank is
        left out; one whose scores are all equal has 0.
    """
    known = panel.dates[panel.label_end <= np.datetime64(night)]  # NaT is never below
    inside = scores["date"].isin(known) & scores["symbol"].isin(panel.symbols)
    table = scores[inside].dropna(subset="score").rename(columns={"score": "forecast"})
    if table.empty:
        return pd.DataFrame(columns=["date", "version", "rank_ic"])
    cells = with_target(table, panel)
    parts = []
    for version, own in cells.groupby("version"):
        daily = rank_ic(own.assign(variant="rank_ic"))
        parts.append(daily.reindex(columns=["rank_ic"]).assign(version=str(version)))
    joined = pd.concat(parts).rename_axis("date").reset_index()
    ordered = joined.sort_values(["date", "version"], ignore_index=True)
    return ordered[["date", "version", "rank_ic"]]


def realised_mean(rank_ics: np.ndarray, horizon: int, level: float) -> RealisedMean:
    """Mean of daily rank ICs (D,), in time order, with an interval valid under overlapping labels.

    Args:
        rank_ics: One per date; may be empty.
        horizon: Rows that a label spans.
        level: One-sided level of each end.
    """
    test, needed = mean_test(rank_ics, horizon), dates_needed(horizon)
    low, high = test.interval(level)
    return RealisedMean(len(rank_ics), needed, test.mean, low, high, test.below(0.0))
