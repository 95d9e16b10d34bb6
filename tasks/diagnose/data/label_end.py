"""When labels become known, measured by running the code that makes them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.data.labels import Target, TargetTransform, target_of
from foldproof.tasks.diagnose.findings.finding import Finding, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.diagnose.perturb.cuts import calendar_strata, in_turn
from foldproof.tasks.diagnose.perturb.keys import checked_times
from foldproof.tasks.diagnose.perturb.rows import change_rows

WAYS = ("truncate", "noise")
"""Changes of later rows at every cut: removal reveals nearly all dependences, noise the rest."""


@dataclass(frozen=True, eq=False)
class Measured:
    """When the labels of some dates become known.

    Attributes:
        table: One row per label, on the index of the data: ``date``, ``symbol``, ``label_end`` (the
            first date after which changed rows no longer change the label), ``ahead`` (trading
            days from ``date`` to ``label_end``) and ``exact`` (False if ``label_end`` is only a
            lower bound).
        days: (D,) datetime64[ns] trading days.
        tested: What was tried.
        failed: Why the target failed on changed rows; empty if it never did.
    """

    table: pd.DataFrame
    days: np.ndarray
    tested: str
    failed: str = ""


def label_ends(
    target_transform: TargetTransform,
    data: pd.DataFrame,
    *,
    dates: int = 8,
    runs: int = 100,
    seed: int = 0,
    guess: int = 1,
) -> Measured:
    """Measure when labels become known, by bisection over the date after which rows change.

    Every cut narrows all labels at once, and the horizon of one date is the first guess for the
    next, so a constant horizon costs two cuts per date. Trap: a class label that happens not to
    change counts as known by then; over several symbols and dates, the largest ``ahead`` is the
    horizon.

    Args:
        target_transform: Long raw rows -> the target on the same rows (same index).
        data: Long rows with ``date`` and ``symbol``.
        dates: Number of dates to measure; Wednesdays, month ends and other days in turn.
        runs: Largest number of cuts; labels that are open after them are not exact.
        seed: Of the choice of dates and of the noise.
        guess: First guess of the horizon in trading days: a right one costs two cuts, a wrong one
            a bisection.

    Raises:
        ValueError: Unusable data, or a target that is not one column on the given rows.
    """
    if dates < 1 or runs < 1:
        raise ValueError(f"at least 1 date and 1 run are needed; they are {dates} and {runs}")
    target = target_of(target_transform, data)
    labelled = np.isfinite(target.values)
    chosen = labelled & np.isin(target.row, chosen_days(target, labelled, dates, seed))
    low, high = target.row.copy(), np.full(len(data), len(target.days) - 1)
    used, failed = 0, ""
    while (open_rows := np.flatnonzero(chosen & (low < high))).size and used < runs:
        first = int(open_rows[0])
        cut = next_cut(low[first], high[first], target.row[first] + guess)
        moves, failed = changed_labels(target, cut, [seed, used])
        if moves is None:
            break
        narrow(low, high, target.row, cut, moves)
        guess = int(low[first] - target.row[first]) if low[first] == high[first] else guess
        used += 1
    table = data.loc[chosen, ["date", "symbol"]].assign(
        label_end=target.days[low[chosen]],
        ahead=low[chosen] - target.row[chosen],
        exact=(low == high)[chosen],
    )
    tested = f"{int(chosen.sum())} labels of {table['date'].nunique()} dates; {used} cuts"
    return Measured(table, target.days, tested, failed)


def chosen_days(target: Target, labelled: np.ndarray, count: int, seed: int) -> list[int]:
    """Up to ``count`` days with a label, except the last day, which has no later rows."""
    days = set(target.row[labelled].tolist())
    strata = calendar_strata(target.days, np.random.default_rng(seed))
    return in_turn([[row for row in rows if row in days] for rows in strata], count)


def next_cut(low: int, high: int, guess: int) -> int:
    """The next cut: at the guess, a day before it, or in the middle."""
    return next(cut for cut in (guess, guess - 1, (low + high) // 2) if low <= cut < high)


def changed_labels(target: Target, cut: int, seed: list[int]) -> tuple[np.ndarray | None, str]:
    """(n,) bool: labels that change with the rows after day ``cut``; None and why if all failed."""
    later = target.row > cut
    moves: np.ndarray | None = None
    reason = ""
    for number, name in enumerate(WAYS):
        generator = np.random.default_rng([*seed, number])
        after, why = target.again(change_rows(target.data, later, name, generator))
        reason = reason or why
        if after is not None:
            moves = target.moves(after) | (False if moves is None else moves)
    return moves, reason if moves is None else ""


def narrow(low: np.ndarray, high: np.ndarray, row: np.ndarray, cut: int, moves: np.ndarray) -> None:
    """In place: labels of days up to ``cut`` end after it if they moved, and by it if not."""
    past = row <= cut
    low[past & moves] = np.maximum(low[past & moves], cut + 1)
    settled = past & ~moves
    high[settled] = np.minimum(high[settled], cut)
    high[:] = np.maximum(high, low)  # a class label may react to one change and not to another


def declared_against_measured(declared: pd.Series | int, measured: Measured) -> Finding:
    """Compare declared with measured label ends: a purge relies on the declared ones.

    Args:
        declared: When each label becomes known, on the index of the data (NaT: never), or a number
            of trading days after its date. An end later than measured is safe.
        measured: Result of :func:`label_ends`.

    Returns:
        LEAK if a label reads rows dated after its declared end; UNKNOWN if that was not measured.

    Raises:
        ValueError: A measured label has no declared end, or the horizon is negative.
    """
    table = measured.table
    row = np.searchsorted(measured.days, table["date"].to_numpy())
    stated = declared_ahead(declared, measured, row)
    late = table["ahead"].to_numpy() - stated
    value = int(np.maximum(late, 0).max(initial=0))
    open_labels = int((~table["exact"] & (late <= 0)).sum())
    reason = "no label to measure" if table.empty else measured.failed
    if not reason and open_labels:
        reason = f"{open_labels} labels were not followed to their end: allow more runs"
    detail = _detail(table, stated, late)
    return exact_finding(
        "purge",
        "target",
        float("nan") if reason and not value else float(value),
        measured.tested,
        leak=detail,
        clean=detail,
        witness=_witness(measured, int(late.argmax())) if value else None,
        reason=reason,
        statistic="trading days by which labels become known later than declared [days]",
        ahead=value or None,
    )


def declared_ahead(declared: pd.Series | int, measured: Measured, row: np.ndarray) -> np.ndarray:
    """(k,) trading days from each measured label's date to its declared end."""
    if isinstance(declared, int):
        if declared < 0:
            raise ValueError(
                f"a label is known on or after its date; the declared horizon is {declared}"
            )
        return np.full(len(row), declared)
    missing = measured.table.index.difference(declared.index)
    if len(missing):
        raise ValueError(
            f"declared needs an end for every measured label, on the index of the data; "
            f"{len(missing)} are missing, the first is row {missing[0]}"
        )
    ends = checked_times(declared.loc[measured.table.index], "declared").to_numpy()
    place = np.searchsorted(measured.days, ends, side="right") - 1
    return np.where(np.isnat(ends), len(measured.days), place) - row


def _witness(measured: Measured, place: int) -> Witness:
    """A measured label as a witness, with the last cut that still changes it."""
    label = measured.table.iloc[place]
    return Witness(
        cut=day(measured.days[measured.days < label["label_end"]][-1]),
        date=day(label["date"]),
        symbol=str(label["symbol"]),
        column="target",
    )


def _detail(table: pd.DataFrame, declared: np.ndarray, late: np.ndarray) -> str:
    """Measured and declared horizon in one sentence."""
    if table.empty:
        return "nothing was measured"
    ahead = table["ahead"]
    at_least = "" if table["exact"].all() else "at least "
    return (
        f"labels become known {at_least}{ahead.min()} to {ahead.max()} trading days after their "
        f"date, {declared.min()} to {declared.max()} are declared; {int((late > 0).sum())} of "
        f"{len(table)} become known later than declared"
    )
