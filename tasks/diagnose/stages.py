"""Which stage of a forecaster moved first between two runs: where a leak enters."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.diagnose.dated import Table, aligned, difference
from tasks.diagnose.finding import Glimpse, Witness
from tasks.diagnose.frozen import changes
from tasks.diagnose.measure import day
from tasks.diagnose.trace import Note

MEMBERSHIP = ("raw data", "universe")
"""Stages whose values are the data as they were given, and which decide about rows only."""
BEFORE, AFTER = 24, 8
"""Rows of a witness's series that are shown before and after the cut."""


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
    note: Note, other: Table | None, cut: np.datetime64, dates: np.ndarray
) -> list[Entry]:
    """The column of a dated value that moved most up to ``cut``, or nothing.

    Of targets, only what is known at the cut is compared; of universes, who is in them.
    """
    assert note.table is not None
    pair = note.table, other if other is not None else note.table.at(slice(0, 0))
    one, two = (t.known(cut) if note.stage == "target" else t.up_to(cut) for t in pair)
    appeared = not one.same_rows(two)
    if note.stage in MEMBERSHIP:
        return rows_only(note, one, two, cut, dates) if appeared else []
    before, after = aligned(one, two)
    if not before.columns:
        return rows_only(note, one, two, cut, dates) if appeared else []
    sizes = difference(before, after, note.table.scale)
    beyond = sizes > before.tolerance
    if not beyond.any():
        return rows_only(note, one, two, cut, dates) if appeared else []
    finite = np.where(np.isfinite(sizes) & beyond, sizes, -1.0)
    shown = finite if finite.max() > 0 else np.where(beyond, 1.0, -1.0)
    row, column = np.unravel_index(int(shown.argmax()), shown.shape)
    value = float(finite[row, column]) if finite.max() > 0 else float("inf")
    name = before.columns[column]
    new = after.values[row, after.columns.index(name)] if name in after.columns else np.nan
    witness = Witness(
        day(cut), day(before.dates[row]), str(before.symbols[row]), name,
        float(before.values[row, column]), float(new), glimpse(pair, before.keys[row], name, cut),
    )  # fmt: skip
    first = before.dates[beyond.any(axis=1)].min()
    return [Entry(note.stage, note.name, value, witness, look_ahead(first, cut, dates))]


def glimpse(
    pair: tuple[Table, Table], key: np.uint64, name: str, cut: np.datetime64
) -> Glimpse | None:
    """A symbol's column around the cut in both runs; None where only one has the column."""
    if any(name not in table.columns for table in pair):
        return None
    own = [table.at(np.flatnonzero(table.keys == key)) for table in pair]
    series = [
        dict(zip(one.dates.tolist(), one.values[:, one.columns.index(name)].tolist(), strict=True))
        for one in own
    ]
    stamps = own[0].dates
    place = int(np.searchsorted(stamps, cut, "right"))
    shown = stamps[max(0, place - BEFORE) : place + AFTER]
    one, two = ([found.get(d, np.nan) for d in shown.tolist()] for found in series)
    return Glimpse(tuple(day(d) for d in shown), tuple(one), tuple(two))


def rows_only(
    note: Note, before: Table, after: Table, cut: np.datetime64, dates: np.ndarray
) -> list[Entry]:
    """Rows that only one run has, where no value says so."""
    one, two = (set(zip(t.dates.tolist(), t.symbols, strict=True)) for t in (before, after))
    strange = sorted(one ^ two, key=str)
    if not strange:
        return []
    kept = [
        (d, s)
        for t in (before, after)
        for d, s in zip(t.dates, t.symbols, strict=True)
        if (d.tolist() if hasattr(d, "tolist") else d, s) in set(strange)
    ]
    date, symbol = kept[-1]
    witness = Witness(day(cut), day(date), str(symbol), f"row of {note.name}")
    first = min(d for d, _ in kept)
    return [Entry(note.stage, note.name, float("inf"), witness, look_ahead(first, cut, dates))]


def look_ahead(date: np.datetime64, cut: np.datetime64, dates: np.ndarray) -> int:
    """Trading days from ``date`` to the first row after ``cut``."""
    return int(np.searchsorted(dates, cut, "right") - np.searchsorted(dates, date))
