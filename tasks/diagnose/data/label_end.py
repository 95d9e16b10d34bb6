"""When a label is known, measured from the code that makes it instead of taken on trust."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.data.labels import Target, TargetTransform, target_of
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.diagnose.perturb.cuts import calendar_strata, in_turn
from foldproof.tasks.diagnose.perturb.keys import checked_times
from foldproof.tasks.diagnose.perturb.rows import change_rows, checked_names, late_cells

WAYS = ("truncate", "noise")
"""Ways to change later rows: removing shows nearly all, noise what removing hides."""


@dataclass(frozen=True, eq=False)
class Measured:
    """When the labels of some dates are known.

    Attributes:
        table: A row a label, on the index of the data: ``date``, ``symbol``, ``label_end`` (the
            first date whose later rows no longer move it), ``ahead`` (trading days from the date
            to there) and ``exact`` (False where it is only known to be no earlier).
        days: (D,) datetime64[ns] trading days.
        tested: What was tried.
        failed: Why the target could not be made from changed rows; empty where it always could.
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
    perturbations: tuple[str, ...] = WAYS,
    known_at: Mapping[str, str] = MappingProxyType({}),
    guess: int = 1,
) -> Measured:
    """Find the last row that labels read, by bisection over the date after which rows change.

    Every cut narrows all labels at once, and the horizon of one date is the first guess for the
    next, so a constant horizon costs two cuts a date. Trap: a class label that a change happens to
    leave as it was is taken to be known by then; over several symbols and dates the largest
    ``ahead`` is the horizon.

    Args:
        target_transform: Long raw rows -> the target on the same rows (same index).
        data: Long rows with ``date`` and ``symbol``.
        dates: How many dates' labels to measure; Wednesdays, month ends and any, in turn.
        runs: Cuts at most; what is still open then is marked as not exact.
        seed: Of the dates and of the noise.
        perturbations: Keys of ``PERTURBATIONS`` in perturb/rows.py, all of them at every cut.
        known_at: Raw columns that are known later than their date -> the column that says when.
        guess: Trading days ahead at which the first label is tried: where it is right, that costs
            two cuts, else a bisection.

    Raises:
        ValueError: Unusable data, or a target that is not one column on the rows given.
    """
    checked_names(perturbations)
    if dates < 1 or runs < 1:
        raise ValueError(f"at least 1 date and 1 run are needed; they are {dates} and {runs}")
    target = target_of(target_transform, data)
    there = np.isfinite(target.values)
    chosen = there & np.isin(target.row, chosen_days(target, there, dates, seed))
    low, high = target.row.copy(), np.full(len(data), len(target.days) - 1)
    used, failed = 0, ""
    while (open_rows := np.flatnonzero(chosen & (low < high))).size and used < runs:
        first = int(open_rows[0])
        cut = next_cut(low[first], high[first], target.row[first] + guess)
        moves, failed = moved_at(target, cut, perturbations, [seed, used], known_at)
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


def chosen_days(target: Target, there: np.ndarray, count: int, seed: int) -> list[int]:
    """Up to ``count`` days that have a label, the last day excepted: nothing comes after it."""
    labelled = set(target.row[there].tolist())
    strata = calendar_strata(target.days, np.random.default_rng(seed))
    return in_turn([[row for row in rows if row in labelled] for rows in strata], count)


def next_cut(low: int, high: int, guess: int) -> int:
    """Where to cut next: at the guess, just before it, or in the middle."""
    return next(cut for cut in (guess, guess - 1, (low + high) // 2) if low <= cut < high)


def moved_at(
    target: Target,
    cut: int,
    names: tuple[str, ...],
    seed: list[int],
    known_at: Mapping[str, str],
) -> tuple[np.ndarray | None, str]:
    """(n,) bool: labels that move when rows after day ``cut`` change; None where nothing ran."""
    later = target.row > cut
    late = late_cells(target.data, known_at, target.days[cut])
    moves: np.ndarray | None = None
    reason = ""
    for number, name in enumerate(names):
        generator = np.random.default_rng([*seed, number])
        after, why = target.again(change_rows(target.data, later, name, generator, late))
        reason = reason or why
        if after is not None:
            moves = target.moves(after) | (False if moves is None else moves)
    return moves, reason if moves is None else ""


def narrow(low: np.ndarray, high: np.ndarray, row: np.ndarray, cut: int, moves: np.ndarray) -> None:
    """Note, in place, that labels of days up to ``cut`` end after it if they move, else by it."""
    past = row <= cut
    low[past & moves] = np.maximum(low[past & moves], cut + 1)
    settled = past & ~moves
    high[settled] = np.minimum(high[settled], cut)
    high[:] = np.maximum(high, low)  # a class label may hide one change and show another


def declared_against_measured(declared: pd.Series | int, measured: Measured) -> Finding:
    """Whether labels are known when they are said to be: what a purge by them rests on.

    Args:
        declared: When each label is known, on the index of the data (NaT: never), or trading days
            after its date. Later than measured is safe.
        measured: Of :func:`label_ends`.

    Returns:
        LEAK if a label reads rows dated after its stated end; UNKNOWN where it was not measured.

    Raises:
        ValueError: A measured label has no stated end, or the horizon is negative.
    """
    table = measured.table
    row = np.searchsorted(measured.days, table["date"].to_numpy())
    stated = stated_ahead(declared, measured, row)
    late = table["ahead"].to_numpy() - stated
    value = int(np.maximum(late, 0).max(initial=0))
    open_labels = int((~table["exact"] & (late <= 0)).sum())
    unknown = "no label to measure" if table.empty else measured.failed
    if not unknown and open_labels:
        unknown = f"{open_labels} labels were not followed to their end: allow more runs"
    verdict = Verdict.LEAK if value else Verdict.UNKNOWN if unknown else Verdict.CLEAN
    worst = table.iloc[int(late.argmax())] if value else None
    return Finding(
        test="purge",
        stage="target",
        verdict=verdict,
        evidence=unknown if verdict is Verdict.UNKNOWN else "exact",
        statistic="trading days by which labels are known later than stated [days]",
        value=float("nan") if verdict is Verdict.UNKNOWN else float(value),
        threshold=DIAGNOSTICS["purge"].threshold,
        tested=measured.tested,
        witness=None
        if worst is None
        else Witness(
            cut=day(measured.days[measured.days < worst["label_end"]][-1]),
            date=day(worst["date"]),
            symbol=str(worst["symbol"]),
            column="target",
        ),
        detail=summary(table, stated, late),
        ahead=value or None,
    )


def stated_ahead(declared: pd.Series | int, measured: Measured, row: np.ndarray) -> np.ndarray:
    """(k,) trading days from each measured label's date to its stated end."""
    if isinstance(declared, int):
        if declared < 0:
            raise ValueError(f"a label is known on or after its date; the horizon is {declared}")
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


def summary(table: pd.DataFrame, stated: np.ndarray, late: np.ndarray) -> str:
    """Measured and stated horizon in one sentence."""
    if table.empty:
        return "nothing was measured"
    ahead = table["ahead"]
    atleast = "" if table["exact"].all() else "at least "
    return (
        f"labels are known {atleast}{ahead.min()} to {ahead.max()} trading days after their date, "
        f"stated are {stated.min()} to {stated.max()}; {int((late > 0).sum())} of {len(table)} "
        "are known later than stated"
    )
