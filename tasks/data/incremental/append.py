"""Rows of a source that grows: new rows are read and checked, the others are kept from before.

The result equals a complete reading to the last bit. For a file, the bytes prove that the earlier
rows are unchanged. For a query, only the newest ``overlap`` dates and the number of rows are
compared: only a complete reading finds values that were restated further back. Anything but
appended rows leads to a complete reading, with its errors and its cost.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd

from foldproof.tasks.data.incremental.new_rows import MARKS, TAILS, UNREADABLE, Tail, kind_of
from foldproof.tasks.data.incremental.restated import restatement
from foldproof.tasks.data.incremental.store import Kept, load, place_of, save, types_of
from foldproof.tasks.data.rows import ROLES, Rows
from foldproof.tasks.data.sources.checks import checked
from foldproof.tasks.data.sources.files import in_roles
from foldproof.tasks.data.sources.parse import parsed
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.lock import locked

MOST_RESTATED = 5
"""Restatements that are reported at most, the newest ones."""


def read_incrementally(
    spec: DataSpec, today: date, folder: Path, read: Callable[[DataSpec], Rows]
) -> Rows:
    """The checked rows of ``spec``, equal to ``checked(parsed(read(spec)))``.

    One process at a time: a second one would remove the files that the first has just written.

    Args:
        spec: A source that can grow.
        today: No row may be dated later.
        folder: Where rows are kept.
        read: Reads the complete source, with columns in their roles.

    Returns:
        The rows, with a warning for each restatement of kept rows.

    Raises:
        DataError: What is wrong with the rows.
    """
    place = place_of(spec, folder)
    with locked(folder.parent / "locks" / place.name, lambda _: None):
        before = load(place)
        kept = None if before is None else with_new_rows(before, spec, today)
        if kept is None:
            kept = read_completely(before, spec, today, read, place)
        elif before is not None and kept is not before:
            save(kept, place, before.rows.frame["date"].iloc[-1])
    return kept.rows.with_frame(kept.rows.frame, kept.restated)


def read_completely(
    before: Kept | None, spec: DataSpec, today: date, read: Callable[[DataSpec], Rows], place: Path
) -> Kept:
    """Read and check everything and keep it, with the restatements of rows in ``before``."""
    try:  # first, so that rows which arrive meanwhile count as new next time
        marks = MARKS[kind_of(spec)](spec) or {}
    except UNREADABLE:
        marks = {}  # the complete reading reports what is wrong
    raw = read(spec)
    rows = checked(parsed(raw, spec.features == "ready"), today)
    kept = Kept(rows, marks, kinds_of(raw.frame))
    if before is None:
        return save(kept, place)
    old = before.rows.frame
    found = restatement(old, rows.frame, rows.called)
    new = (f"{found.sentence}; noticed {today}",) if found else ()
    restated = (*before.restated, *new)[-MOST_RESTATED:]
    kept = replace(kept, restated=restated, pieces=before.pieces)
    unchanged = found.first if found else old["date"].iloc[-1]
    return save(kept, place, unchanged if types_of(old) == types_of(rows.frame) else None)


def with_new_rows(kept: Kept, spec: DataSpec, today: date) -> Kept | None:
    """The kept rows and the appended ones; None if anything else can have changed."""
    if kept.rows.frame["date"].iloc[-1] > pd.Timestamp(today):
        return None
    try:
        tail = TAILS[kind_of(spec)](spec, kept)
        return None if tail is None else joined(kept, tail, spec, today)
    except UNREADABLE:
        return None  # the complete reading reports what is wrong, with the right row number


def joined(kept: Kept, tail: Tail, spec: DataSpec, today: date) -> Kept | None:
    """The kept rows and the checked rows of the tail; None if the two do not fit together."""
    old, ready = kept.rows.frame, spec.features == "ready"
    if tail.rows.frame.empty:
        return kept if tail.total in (None, len(old)) else None
    raw = in_roles(tail.rows, spec)
    rows = parsed(raw, ready)
    inside = rows.frame["date"] >= tail.cut
    if (tail.appended and not inside.all()) or not same_kinds(raw.frame, kept, ready):
        return None
    overlap = old.iloc[int(old["date"].searchsorted(tail.cut)) :]
    new = rows_after(rows.with_frame(rows.frame[inside]), overlap, today)
    if new is None or tail.total not in (None, len(old) + len(new.frame)):
        return None
    warnings = new.about["warnings"]  # a warning that counts rows would count all of them
    if warnings != kept.rows.about["warnings"] or any(re.search(r"\d rows", w) for w in warnings):
        return None
    if new.frame.empty:
        return replace(kept, marks=tail.marks) if tail.marks != kept.marks else kept
    frame = pd.concat([old, new.frame], ignore_index=True)
    if types_of(frame) != types_of(old) or types_of(new.frame) != types_of(old):
        return None
    return replace(kept, rows=replace(kept.rows, frame=frame), marks=tail.marks)


def rows_after(rows: Rows, overlap: pd.DataFrame, today: date) -> Rows | None:
    """The checked rows after ``overlap``; None if the first rows differ from the overlap."""
    count = len(overlap)
    if not rows.in_order or not same(rows.frame.iloc[:count], overlap):
        rows = checked(rows, today)
    if not same(rows.frame.iloc[:count], overlap):
        return None
    rest = rows.with_frame(rows.frame.iloc[count:])
    if count and not (rest.frame["date"] > overlap["date"].iloc[-1]).all():
        return None
    return checked(rest, today)


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two tables have the same values of the same types in the same order."""
    return one.reset_index(drop=True).equals(other.reset_index(drop=True))


def kinds_of(frame: pd.DataFrame) -> dict[str, str]:
    """Name -> type of each column, and of its cells if the column holds objects."""
    return {
        name: f"object {pd.api.types.infer_dtype(frame[name])}" if kind == "object" else kind
        for name, kind in types_of(frame).items()
    }


def same_kinds(frame: pd.DataFrame, kept: Kept, ready: bool) -> bool:
    """Whether the columns of new rows would get the same types in a complete reading."""
    kinds = kinds_of(frame)
    return [*kinds] == [*kept.kinds] and all(
        kind == kept.kinds[name]
        or ((ready or name in ROLES) and kept.kinds[name] == "float64" and "int" in kind)
        or frame[name].isna().all()
        for name, kind in kinds.items()
    )
