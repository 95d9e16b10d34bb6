"""The stage whose output moved first between two runs: where a leak enters."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Excerpt, Witness
from foldproof.tasks.diagnose.perturb.compare import NOISE_MARGIN, day
from foldproof.tasks.diagnose.trace.tables import Table, aligned, moves
from foldproof.tasks.diagnose.trace.trace import Note
from foldproof.tasks.diagnose.trace.values import changes

MEMBERSHIP = ("raw data", "universe")
"""Stages that only decide which rows exist; their values are input data."""
BEFORE, AFTER = 24, 8
"""Rows of an excerpt before and after the cut."""


@dataclass(frozen=True)
class StageOutput:
    """An output of a stage that moved when later rows changed.

    Attributes:
        stage: The stage.
        name: Name of the output.
        value: Largest move, in its own sd; infinite if values only appear or vanish.
        witness: The place of the largest move.
        ahead: Trading days from the oldest moved value to the first changed row; None for an output
            without dates.
        repeated: An output without dates that is not the first of its name: one fitted again within
            the test block may honestly depend on earlier test rows.
        place: Position among the outputs of the forecaster, from 0.
    """

    stage: str
    name: str
    value: float
    witness: Witness
    ahead: int | None = None
    repeated: bool = False
    place: int = 0


def moved_outputs(
    before: Sequence[Note],
    after: Sequence[Note],
    cut: np.datetime64,
    dates: np.ndarray,
    undated: bool,
) -> list[StageOutput]:
    """Outputs that moved between two runs, in the order in which they were computed.

    Args:
        before: Notes of the run on the data.
        after: Notes of the run on data that change after ``cut``.
        cut: Tables are compared up to this date.
        dates: (D,) the dates of the data, ascending.
        undated: Whether to compare outputs without dates too, which makes sense if all data after
            training change.
    """
    first, later = dict(numbered(before)), dict(numbered(after))
    found: list[StageOutput] = []
    for place, key in enumerate({**first, **later}):
        pair = first.get(key), later.get(key)
        moved: list[StageOutput] = []
        if any(note is not None and note.table is not None for note in pair):
            moved = moved_table(*pair, cut, dates)
        elif undated:
            moved = [replace(one, repeated=key[2] > 0) for one in moved_value(*pair, cut)]
        found += [replace(one, place=place) for one in moved]
    return found


def with_noise(before: Sequence[Note], again: Sequence[Note]) -> list[Note]:
    """``before``, each note with its differences from a second run on the same data.

    Differences between identical runs (timings, missing seeds) are not look-ahead and are ignored.
    """
    later = dict(numbered(again))
    return [note_with_noise(note, later.get(key)) for key, note in numbered(before)]


def note_with_noise(note: Note, other: Note | None) -> Note:
    """A note with its differences from the same note of a second run."""
    if note.table is None:
        loose = changes(note.content, other.content if other else {})
        return replace(note, loose=frozenset(change.path for change in loose))
    if other is None or other.table is None or not note.table.same_rows(other.table):
        return replace(note, noise=float("inf"))
    one, two = aligned(note.table, other.table)
    return replace(note, noise=float(moves(one, two, note.table).max(initial=0.0)))


def numbered(notes: Sequence[Note]) -> Iterator[tuple[tuple[str, str, int], Note]]:
    """Notes by stage, name and the number of earlier notes with both."""
    count: Counter[tuple[str, str]] = Counter()
    for note in notes:
        yield (note.stage, note.name, count[note.stage, note.name]), note
        count[note.stage, note.name] += 1


def moved_value(before: Note | None, after: Note | None, cut: np.datetime64) -> list[StageOutput]:
    """The largest change of an output without dates, or nothing."""
    one, two = (note.content if note else {} for note in (before, after))
    found = changes(one, two, before.loose if before else ())
    note = before or after
    if not found or note is None:
        return []
    top = max(found, key=lambda change: change.size if np.isfinite(change.size) else 0.0)
    part = f"{note.name}.{top.path}" if top.path else note.name
    witness = Witness(day(cut), column=part, before=top.before, after=top.after)
    return [StageOutput(note.stage, note.name, top.size, witness)]


def moved_table(
    before: Note | None, after: Note | None, cut: np.datetime64, dates: np.ndarray
) -> list[StageOutput]:
    """The column of a table that moved most up to ``cut``, or nothing.

    Targets are compared where they are known at the cut; universes by their rows. A table that only
    one run returns is compared if it ends by the cut, since one of a later date may be absent.
    """
    notes = [note for note in (before, after) if note is not None]
    note, table = next((note, note.table) for note in notes if note.table is not None)
    if len(notes) == 1 and (not len(table.dates) or table.dates[-1] > cut):
        return []
    empty = table.at(slice(0, 0))
    pair = [one.table if one and one.table is not None else empty for one in (before, after)]
    limit = NOISE_MARGIN * max(note.noise for note in notes)
    one, two = (t.known(cut) if note.stage == "target" else t.up_to(cut) for t in pair)
    rows_differ = not one.same_rows(two) and np.isfinite(limit)
    rows_moved = changed_rows(note, one, two, cut, dates) if rows_differ else []
    if note.stage in MEMBERSHIP:
        return rows_moved
    old, new = aligned(one, two)
    sizes = moves(old, new, table)
    beyond = sizes > np.maximum(old.tolerance, limit)
    if not beyond.any():
        return rows_moved
    finite = np.where(np.isfinite(sizes) & beyond, sizes, -1.0)
    candidates = finite if finite.max() > 0 else np.where(beyond, 1.0, -1.0)
    row, column = np.unravel_index(int(candidates.argmax()), candidates.shape)
    value = float(finite[row, column]) if finite.max() > 0 else float("inf")
    name = old.columns[column]
    witness = Witness(
        day(cut), day(old.dates[row]), str(old.symbols[row]), name,
        float(old.values[row, column]), float(new.values[row, column]),
        excerpt(pair, old.keys[row], name, cut),
    )  # fmt: skip
    first = old.dates[beyond.any(axis=1)].min()
    return [StageOutput(note.stage, note.name, value, witness, look_ahead(first, cut, dates))]


def excerpt(pair: Sequence[Table], key: np.uint64, name: str, cut: np.datetime64) -> Excerpt | None:
    """The column ``name`` of a symbol around the cut in both runs; None if one has no such column.

    Args:
        pair: The table in the run on the data and in the run on changed data.
        key: Hash of the symbol.
        name: The column.
        cut: The date of the cut.
    """
    if any(name not in table.columns for table in pair):
        return None
    tables = [table.at(np.flatnonzero(table.keys == key)) for table in pair]
    one, two = (
        pd.Series(t.values[:, t.columns.index(name)], index=t.dates).reindex(tables[0].dates)
        for t in tables
    )
    place = int(np.searchsorted(tables[0].dates, cut, "right"))
    rows = slice(max(0, place - BEFORE), place + AFTER)
    dates = tuple(day(date) for date in tables[0].dates[rows])
    return Excerpt(dates, tuple(one.tolist()[rows]), tuple(two.tolist()[rows]))


def changed_rows(
    note: Note, before: Table, after: Table, cut: np.datetime64, dates: np.ndarray
) -> list[StageOutput]:
    """The rows that only one run has."""
    pair = [
        pd.DataFrame({"date": t.dates, "key": t.keys, "symbol": t.symbols}) for t in (before, after)
    ]
    rows = pd.concat(pair).drop_duplicates(["date", "key"], keep=False)
    if rows.empty:
        return []
    rows = rows.sort_values("date", kind="stable")
    last, ahead = rows.iloc[-1], look_ahead(rows["date"].to_numpy()[0], cut, dates)
    witness = Witness(day(cut), day(last["date"]), str(last["symbol"]), f"row of {note.name}")
    return [StageOutput(note.stage, note.name, float("inf"), witness, ahead)]


def look_ahead(date: np.datetime64, cut: np.datetime64, dates: np.ndarray) -> int:
    """Trading days from ``date`` to the first row after ``cut``."""
    return int(np.searchsorted(dates, cut, "right") - np.searchsorted(dates, date))
