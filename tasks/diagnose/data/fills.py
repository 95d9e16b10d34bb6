"""Fills of a record of decisions: each must come after the information it rests on."""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.perturb.keys import times_of

TEST = DIAGNOSTICS["execution"]


def fills(
    decisions: pd.DataFrame, information: str = "information_time", fill: str = "fill_time"
) -> Finding:
    """Decisions that are filled at or before the time of the newest information they use.

    Args:
        decisions: A row a decision; ``symbol`` names it where there is such a column.
        information: Column with the time of the newest information that the decision uses, such as
            the close whose price is in its features.
        fill: Column with the time of the fill; missing where it was never filled.

    Returns:
        LEAK if a fill is not later; UNKNOWN if none is seen but a filled decision does not say
        when its information was there, or nothing was filled.

    Raises:
        ValueError: A column is missing, holds no times, or one has a time zone and one has not.
    """
    known, done = times_of(decisions, information), times_of(decisions, fill)
    if (known.tz is None) != (done.tz is None) and known.notna().any() and done.notna().any():
        raise ValueError(
            f"{information} and {fill} must both have a time zone or both have none; they are in "
            f"{known.tz} and {done.tz}"
        )
    filled = np.asarray(done.notna())
    silent = int((filled & np.asarray(known.isna())).sum())
    wrong = np.zeros(len(decisions), bool)
    both = filled & np.asarray(known.notna())
    wrong[both] = np.asarray(done[both] <= known[both])
    count, unknown = int(wrong.sum()), ""
    if not count and (silent or not filled.any()):
        unknown = f"{silent} fills without {information}" if silent else "nothing was filled"
    verdict = Verdict.LEAK if count else Verdict.UNKNOWN if unknown else Verdict.CLEAN
    return Finding(
        test=TEST.key,
        stage="scoring",
        verdict=verdict,
        evidence=unknown or "exact",
        statistic="fills at or before their information [fills]",
        value=float("nan") if unknown else float(count),
        threshold=TEST.threshold,
        tested=f"{int(filled.sum())} fills of {len(decisions)} decisions",
        witness=earliest(decisions, known, done, wrong) if count else None,
        detail=unknown or f"{count} of {int(filled.sum())} fills come too early",
    )


def earliest(
    decisions: pd.DataFrame, known: pd.DatetimeIndex, done: pd.DatetimeIndex, wrong: np.ndarray
) -> Witness:
    """The fill that comes earliest before its information."""
    rows = np.flatnonzero(wrong)
    row = int(rows[int(np.asarray(known[rows] - done[rows]).argmax())])
    symbol = str(decisions["symbol"].iloc[row]) if "symbol" in decisions else ""
    return Witness(
        date=str(done[row]), symbol=symbol, column=f"filled, information of {known[row]}"
    )
