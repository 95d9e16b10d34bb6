"""What past scores were worth, as their labels arrive."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from foldproof.tasks.compare.paired import paired
from foldproof.tasks.data import Panel
from foldproof.tasks.operate.evidence import rank_ic
from foldproof.tasks.statistics.mean_test import LEAST_DATES
from foldproof.tasks.train.train import with_target


@dataclass(frozen=True)
class Worth:
    """Mean realised rank IC over the newest dates with labels.

    Attributes:
        dates: How many.
        mean: NaN without any.
        low: End of a two-sided interval, each side at the level; NaN where the dates are too few.
        high: The other end.
        p: One-sided p of a true mean that is not below zero; NaN where the dates are too few.
    """

    dates: int
    mean: float
    low: float
    high: float
    p: float


def realised(scores: pd.DataFrame, panel: Panel, night: date) -> pd.DataFrame:
    """Daily rank IC of past scores, for dates whose labels are known by the night.

    Args:
        scores: date, symbol, score, version; one score a date and symbol.
        panel: Targets, of rows up to the night.
        night: A label that becomes known later does not count, even where the panel has it.

    Returns:
        date, version, rank_ic, by date. A date without three symbols that can be ranked is not
        there; one whose scores are all equal has 0.
    """
    known = panel.dates[panel.label_end <= np.datetime64(night)]  # NaT is never below
    held = scores["date"].isin(known) & scores["symbol"].isin(panel.symbols)
    table = scores[held].dropna(subset="score")
    if table.empty:
        return pd.DataFrame(columns=["date", "version", "rank_ic"])
    named = table.rename(columns={"score": "forecast"})
    cells = with_target(named, panel).assign(variant="")
    parts = [daily(own, str(version)) for version, own in cells.groupby("version")]
    return pd.concat(parts, ignore_index=True).sort_values("date", ignore_index=True)


def daily(cells: pd.DataFrame, version: str) -> pd.DataFrame:
    """Daily rank IC of one version; without rows where nothing can be ranked."""
    ic = rank_ic(cells)
    values = ic[""].to_numpy() if "" in ic else np.zeros(0)
    return pd.DataFrame({"date": ic.index, "version": version, "rank_ic": values})


def worth(rank_ics: np.ndarray, horizon: int, level: float) -> Worth:
    """Mean of daily rank ICs (D,), in time order, with an interval that survives overlap.

    Args:
        rank_ics: One a date; may be empty.
        horizon: Rows that a label spans.
        level: One-sided level of each end.
    """
    count = len(rank_ics)
    if count < LEAST_DATES:
        mean = float(rank_ics.mean()) if count else np.nan
        return Worth(count, mean, np.nan, np.nan, np.nan)
    found = paired(rank_ics, horizon)
    low, high = found.interval(level)
    return Worth(count, found.gain, low, high, found.below(0.0))
