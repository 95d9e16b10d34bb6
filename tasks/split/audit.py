"""Audits a plan from dates alone, without any of the code that cut it."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from foldproof.tasks.split.fold import Fold


def audit_plan(folds: Iterable[Fold], label_end: np.ndarray, embargo: int = 0) -> pd.DataFrame:
    """What lies on both sides of every border of every fold.

    Args:
        folds: The plan, from whatever source.
        label_end: (D,) datetime64 of the folds' calendar; NaT counts as not known in time.
        embargo: Trading days that must lie between the last label and the later block.

    Returns:
        One row a fold and border (``train|validation``, ``validation|test``, ``train|test``;
        borders of an empty block are left out): ``earlier_rows``, ``earlier_first``,
        ``earlier_last``, ``later_rows``, ``later_first``, ``later_last``; ``gap``, trading days
        between the blocks; ``overlap``, earlier rows whose [date, label end] reaches into the
        later block or beyond; ``label_gap``, trading days between the last known label end and the
        later block (negative when it reaches in); ``short``, trading days missing to ``embargo``.
        A sound plan has ``overlap`` 0 and ``short`` 0 throughout.
    """
    return pd.DataFrame([_border(*border, label_end, embargo) for border in _borders(folds)])


def _borders(folds: Iterable[Fold]) -> Iterator[tuple[Fold, str, range, range]]:
    """Every pair of blocks of a fold that must not touch."""
    for fold in folds:
        blocks = {"train": fold.train, "validation": fold.validation, "test": fold.test}
        for pair in (("train", "validation"), ("validation", "test"), ("train", "test")):
            earlier, later = (blocks[name] for name in pair)
            if earlier and later:
                yield fold, "|".join(pair), earlier, later


def _border(
    fold: Fold, name: str, earlier: range, later: range, label_end: np.ndarray, embargo: int
) -> dict[str, object]:
    """One row of the table, by comparing dates."""
    calendar = fold.calendar.astype("datetime64[D]")
    before, after = calendar[list(earlier)], calendar[list(later)]
    ends = label_end.astype("datetime64[D]")[list(earlier)]
    reaches = (before <= after.max()) & (np.isnat(ends) | (ends >= after.min()))
    known = ends[~np.isnat(ends)]
    label_gap = _days_between(calendar, known.max(), after.min()) if len(known) else None
    return {
        "fold": fold.number,
        "border": name,
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
    """Trading days strictly between two dates; negative when ``later`` is not later."""
    if earlier < later:
        return int(((calendar > earlier) & (calendar < later)).sum())
    return -int(((calendar >= later) & (calendar <= earlier)).sum())
