"""Which stage of a forecaster moved first between two runs: where a leak enters."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Excerpt, Witness
from foldproof.tasks.diagnose.perturb.compare import NOISE_MARGIN, day
from foldproof.tasks.diagnose.trace.tables import Table, aligned, difference
from foldproof.tasks.diagnose.trace.trace import Note
from foldproof.tasks.diagnose.trace.values import changes

MEMBERSHIP = ("raw data", "universe")
"""Stages whose values are the data as they were given, and which decide about rows only."""
BEFORE, AFTER = 24, 8
"""Rows of a witness's series that are shown before and after the cut."""


@dataclass(frozen=True)
class StageOutput:
    """A traced value that the future moved.

    Attributes:
        stage: Where.
        name: What it is called.
        value: Largest move, in its own sd; infinite where values only appear or vanish.
        witness: Where it moved most.
        ahead: Trading days from the oldest moved value to the first changed row; None if frozen.
        again: A frozen value that a stage made again under the same name: one fitted anew within
            the test block may honestly follow what came before.
        place: Of the value among those that the forecaster marks, from 0.
    """

    stage: str
    name: str
    value: float
    witness: Witness
    ahead: int | None = None
    again: bool = False
    place: int = 0


def entries(
    before: Sequence[Note],
    after: Sequence[Note],
    cut: np.datetime64,
    dates: np.ndarray,
    frozen: bool,
) -> list[StageOutput]:
    """Traced values that moved between two runs, in the order in which they were made.

    Args:
        before: Notes of the run on the data.
        after: Notes of the run on data changed after ``cut``.
        cut: Dated values are compared up to it.
        dates: (D,) the data's dates, ascending.
        frozen: Whether frozen values are compared too: where all after training was changed.
    """
    first, later = dict(numbered(before)), dict(numbered(after))
    found: list[StageOutput] = []
    for place, key in enumerate({**first, **later}):
        pair = first.get(key), later.get(key)
        moves: list[StageOutput] = []
        if any(note is not None and note.table is not None for note in pair):
            moves = moved_table(*pair, cut, dates)
        elif frozen:
            moves = [replace(one, again=key[2] > 0) for one in moved_frozen(*pair, cut)]
        found += [replace(one, place=place) for one in moves]
    return found


def steadied(before: Sequence[Note], again: Sequence[Note]) -> list[Note]:
    """``before``, each note with what differs in another run on the same data.

    Seconds that a search took, or a random stage without a seed, are no work of the future.
    """
    later = dict(numbered(again))
    return [steady(note, later.get(key)) for key, note in numbered(before)]


def steady(note: Note, other: Note | None) -> Note:
    """A note with what differs in ``other``, its like in another run on the same data."""
    if note.table is None:
        loose = changes(note.content, other.content if other else {})
        return replace(note, loose=frozenset(change.path for change in loose))
    if other is None or other.table is None:
        return replace(note, noise=float("inf"))
    one, two = aligned(note.table, other.table)
    sizes = difference(one, two, scale_of(one, note.table))
    apart = not note.table.same_rows(other.table)
    return replace(note, noise=float("inf") if apart else float(sizes.max(initial=0.0)))


def numbered(notes: Sequence[Note]) -> Iterator[tuple[tuple[str, str, int], Note]]:
    """Notes by stage, name and how often these were met before."""
    met: Counter[tuple[str, str]] = Counter()
    for note in notes:
        yield (note.stage, note.name, met[note.stage, note.name]), note
        met[note.stage, note.name] += 1


def moved_frozen(before: Note | None, after: Note | None, cut: np.datetime64) -> list[StageOutput]:
    """The largest change of a frozen value, or nothing."""
    one, two = (note.content if note else {} for note in (before, after))
    found = changes(one, two, before.loose if before else ())
    note = before or after
    if not found or note is None:
        return []
    top = max(found, key=lambda change: change.size if np.isfinite(change.size) else 0.0)
    place = f"{note.name}.{top.path}" if top.path else note.name
    witness = Witness(day(cut), column=place, before=top.before, after=top.after)
    return [StageOutput(note.stage, note.name, top.size, witness)]


def moved_table(
    before: Note | None, after: Note | None, cut: np.datetime64, dates: np.ndarray
) -> list[StageOutput]:
    """The column of a dated value that moved most up to ``cut``, or nothing.

    Of targets, only what is known at the cut is compared; of universes, who is in them. A table
    that only one run makes is compared if it ends by the cut: one of a later date need not be
    made.
    """
    notes = [note for note in (before, after) if note is not None]
    note, table = next((note, note.table) for note in notes if note.table is not None)
    if len(notes) == 1 and (not len(table.dates) or table.dates[-1] > cut):
        return []
    pair = tables_of(before, after, table)
    limit = NOISE_MARGIN * max(note.noise for note in notes)
    one, two = (t.known(cut) if note.stage == "target" else t.up_to(cut) for t in pair)
    appeared = not one.same_rows(two) and np.isfinite(limit)
    if note.stage in MEMBERSHIP:
        return rows_only(note, one, two, cut, dates) if appeared else []
    old, new = aligned(one, two)
    sizes = difference(old, new, scale_of(old, table))
    beyond = sizes > np.maximum(old.tolerance, limit)
    if not beyond.any():
        return rows_only(note, one, two, cut, dates) if appeared else []
    finite = np.where(np.isfinite(sizes) & beyond, sizes, -1.0)
    shown = finite if finite.max() > 0 else np.where(beyond, 1.0, -1.0)
    row, column = np.unravel_index(int(shown.argmax()), shown.shape)
    value = float(finite[row, column]) if finite.max() > 0 else float("inf")
    name = old.columns[column]
    witness = Witness(
        day(cut), day(old.dates[row]), str(old.symbols[row]), name,
        float(old.values[row, column]), float(new.values[row, column]),
        glimpse(pair, old.keys[row], name, cut),
    )  # fmt: skip
    first = old.dates[beyond.any(axis=1)].min()
    return [StageOutput(note.stage, note.name, value, witness, look_ahead(first, cut, dates))]


def tables_of(before: Note | None, after: Note | None, like: Table) -> tuple[Table, Table]:
    """The tables of two notes, without rows where there is none."""
    one, two = (
        note.table if note is not None and note.table is not None else like.at(slice(0, 0))
        for note in (before, after)
    )
    return one, two


def scale_of(table: Table, like: Table) -> np.ndarray:
    """(C,) sd of each column of ``table``, as ``like`` has it where it has the column."""
    own = dict(zip(like.columns, like.scale, strict=True))
    if table.columns == like.columns:
        return like.scale
    return np.array([own.get(n, s) for n, s in zip(table.columns, table.scale, strict=True)])


def glimpse(
    pair: tuple[Table, Table], key: np.uint64, name: str, cut: np.datetime64
) -> Excerpt | None:
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
    return Excerpt(tuple(day(d) for d in shown), tuple(one), tuple(two))


def rows_only(
    note: Note, before: Table, after: Table, cut: np.datetime64, dates: np.ndarray
) -> list[StageOutput]:
    """Rows that only one run has, where no value says so."""
    pair = [
        pd.DataFrame({"date": t.dates, "key": t.keys, "symbol": t.symbols}) for t in (before, after)
    ]
    strange = (
        pd.concat(pair)
        .drop_duplicates(["date", "key"], keep=False)
        .sort_values("date", kind="stable")
    )
    if strange.empty:
        return []
    date, symbol = strange["date"].iloc[-1], strange["symbol"].iloc[-1]
    witness = Witness(day(cut), day(date), str(symbol), f"row of {note.name}")
    first = strange["date"].to_numpy()[0]
    return [
        StageOutput(note.stage, note.name, float("inf"), witness, look_ahead(first, cut, dates))
    ]


def look_ahead(date: np.datetime64, cut: np.datetime64, dates: np.ndarray) -> int:
    """Trading days from ``date`` to the first row after ``cut``."""
    return int(np.searchsorted(dates, cut, "right") - np.searchsorted(dates, date))
