"""Audit of a plan from its dates alone, independent of the code that cut it."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from foldproof.tasks.split.fold import Fold


def audit_plan(folds: Iterable[Fold], label_end: np.ndarray, embargo: int = 0) -> pd.DataFrame:
    """Gap and label overlap at every border of every fold.

    Args:
        folds: The plan, from any source.
        label_end: (D,) datetime64 on the folds' calendar; NaT counts as unknown.
        embargo: Trading days required between the last label and the later block.

    Returns:
        One row per fold and border (``train|validation``, ``validation|test``, ``train|test``, and
        the reverse, such as ``test|train``, where rows after a block are trained on; borders of an
        empty block are left out): ``earlier_rows``, ``earlier_first``, ``earlier_last``,
        ``later_rows``, ``later_first``, ``later_last``; ``gap``, trading days between the blocks;
        ``overlap``, earlier rows whose [date, label end] reaches into the later block or beyond;
        ``label_gap``, trading days between the last known label end and the later block (negative
        if it reaches in); ``short``, trading days that the gap lacks to ``embargo``. In a valid
        plan ``overlap`` and ``short`` are 0 in every row.
    """
    return pd.DataFrame(
        [
            {"fold": fold.number, "border": name}
            | _border(fold.calendar, earlier, later, label_end, embargo if between else 0)
            for fold in folds
            for name, earlier, later, between in fold.borders()
            if len(earlier) and len(later)
        ]
    )


def _border(
    dates: np.ndarray,
    earlier: Sequence[int],
    later: Sequence[int],
    label_end: np.ndarray,
    embargo: int,
) -> dict[str, object]:
    """One row of the table, computed by comparing dates."""
    calendar = dates.astype("datetime64[D]")
    before, after = calendar[list(earlier)], calendar[list(later)]
    ends = label_end.astype("datetime64[D]")[list(earlier)]
    reaches = (before <= after.max()) & (np.isnat(ends) | (ends >= after.min()))
    known = ends[~np.isnat(ends)]
    label_gap = _days_between(calendar, known.max(), after.min()) if len(known) else None
    return {
        "earlier_rows": len(before),
        "earlier_first": before.min(),
        "earlier_last": before.max(),
        "later_rows": len(after),
        "later_first": after.min(),
        "later_last": after.max(),
        "gap": _days_between(calendar, before.max(), after.min()),
        "overlap": int(reaches.sum()),
        "label_gap": label_gap,
        "short": embargo if label_gap is None else max(embargo - label_gap, 0),
    }


def _days_between(calendar: np.ndarray, earlier: np.datetime64, later: np.datetime64) -> int:
    """Trading days strictly between two dates; negative if ``later`` is not later."""
    if earlier < later:
        return int(((calendar > earlier) & (calendar < later)).sum())
    return -int(((calendar >= later) & (calendar <= earlier)).sum())
