"""Which stage of a forecaster moved first between two runs: where a leak enters."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.diagnose.finding import Witness
from tasks.diagnose.frozen import changes
from tasks.diagnose.measure import day, largest, moved, numbers, spread, tolerance_of
from tasks.diagnose.trace import Note


@dataclass(frozen=True)
class Entry:
    """A traced value that the future moved.

    Attributes:
        stage: Where.
        name: What it is called.
        value: Largest move, in its own sd; infinite where values only appear or vanish.
        witness: Where it moved most.
        ahead: Trading days from the oldest moved value to the first changed row; None if frozen.
    """

    stage: str
    name: str
    value: float
    witness: Witness
    ahead: int | None = None


def entries(
    before: Sequence[Note],
    after: Sequence[Note],
    cut: np.datetime64,
    dates: np.ndarray,
    frozen: bool,
) -> list[Entry]:
    """Traced values that moved between two runs, in the order in which they were made.

    Args:
        before: Notes of the run on the data.
        after: Notes of the run on data changed after ``cut``.
        cut: Dated values are compared up to it.
        dates: (D,) the data's dates, ascending.
        frozen: Whether frozen values are compared too: where all after training was changed.
    """
    later = dict(numbered(after))
    found: list[Entry] = []
    for key, note in numbered(before):
        other = later.get(key)
        if note.table is not None:
            found += moved_table(note, other.table if other else None, cut, dates)
        elif frozen:
            found += moved_frozen(note, other, cut)
    return found


def numbered(notes: Sequence[Note]) -> Iterator[tuple[tuple[str, str, int], Note]]:
    """Notes by stage, name and how often these were met before."""
    met: Counter[tuple[str, str]] = Counter()
    for note in notes:
        yield (note.stage, note.name, met[note.stage, note.name]), note
        met[note.stage, note.name] += 1


def moved_frozen(note: Note, other: Note | None, cut: np.datetime64) -> list[Entry]:
    """The largest change of a frozen value, or nothing."""
    found = changes(note.content, other.content if other else {})
    if not found:
        return []
    top = max(found, key=lambda change: change.size if np.isfinite(change.size) else 0.0)
    place = f"{note.name}.{top.path}" if top.path else note.name
    witness = Witness(day(cut), column=place, before=top.before, after=top.after)
    return [Entry(note.stage, note.name, top.size, witness)]


def moved_table(
    note: Note, other: pd.DataFrame | None, cut: np.datetime64, dates: np.ndarray
) -> list[Entry]:
    """The column of a dated value that moved most up to ``cut``, or nothing."""
    assert note.table is not None
    before = up_to(note.table, cut)
    after = before.iloc[:0] if other is None else up_to(other, cut)
    if note.stage == "target":
        before, after = known(before, cut), known(after, cut)
    index = before.index if before.index.equals(after.index) else before.index.union(after.index)
    old, new = before.reindex(index), after.reindex(index)
    found = [
        entry
        for column in before
        if not pd.api.types.is_datetime64_any_dtype(before[column])
        for entry in moved_column(note, old[column], new.get(column), cut, dates)
    ]
    found += appeared(note, before.index, after.index, cut, dates) if not found else []
    return [max(found, key=lambda entry: rank_of(entry.value))] if found else []


def rank_of(value: float) -> float:
    """Finite moves say more than values that appear or vanish."""
    return value if np.isfinite(value) else 0.0


def moved_column(
    note: Note,
    before: pd.Series,
    after: pd.Series | None,
    cut: np.datetime64,
    dates: np.ndarray,
) -> list[Entry]:
    """The largest move of a column, or nothing within rounding."""
    old = numbers(before)
    new = np.full(len(old), np.nan) if after is None else numbers(after)
    sizes = moved(old, new) / spread(old)
    beyond = sizes > tolerance_of(before.dropna())
    if not beyond.any():
        return []
    value = largest(sizes)
    place = int(np.where(np.isfinite(sizes) | np.isinf(value), sizes, -1.0).argmax())
    date, symbol = before.index[place]
    first = before.index.get_level_values(0)[beyond].min()
    numbers_there = float(old[place]), float(new[place])
    witness = Witness(day(cut), day(date), str(symbol), str(before.name), *numbers_there)
    return [Entry(note.stage, note.name, value, witness, look_ahead(first, cut, dates))]


def appeared(
    note: Note, before: pd.Index, after: pd.Index, cut: np.datetime64, dates: np.ndarray
) -> list[Entry]:
    """Rows that only one run has, or nothing."""
    strange = before.symmetric_difference(after)
    if not len(strange):
        return []
    date, symbol = strange[-1]
    witness = Witness(day(cut), day(date), str(symbol), f"row of {note.name}")
    ahead = look_ahead(strange[0][0], cut, dates)
    return [Entry(note.stage, note.name, float("inf"), witness, ahead)]


def look_ahead(date: object, cut: np.datetime64, dates: np.ndarray) -> int:
    """Trading days from ``date`` to the first row after ``cut``."""
    stamp = np.datetime64(pd.Timestamp(date))  # type: ignore[arg-type]  # any date type is taken
    return int(np.searchsorted(dates, cut, "right") - np.searchsorted(dates, stamp))


def up_to(table: pd.DataFrame, cut: np.datetime64) -> pd.DataFrame:
    """Rows dated up to ``cut``."""
    return table[table.index.get_level_values(0) <= cut]


def known(target: pd.DataFrame, cut: np.datetime64) -> pd.DataFrame:
    """Rows of a target whose label is known at ``cut``; none without a column of dates."""
    ends = [c for c in target if pd.api.types.is_datetime64_any_dtype(target[c])]
    return target[(target[ends[0]] <= cut)] if ends else target.iloc[:0]
