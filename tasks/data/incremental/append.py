"""Rows of a source that grows: what is new is read and checked, the rest is kept from before.

The outcome is that of a whole reading, to the last bit. A file is proven to begin as it did, by
its bytes. A query is trusted to, but for its newest ``overlap`` dates and the number of its rows:
values that are restated further back are seen by a whole reading only. Whatever is not plainly an
appended night is read as a whole: the errors are those of a whole reading, and so is the work.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd

from foldproof.tasks.data.incremental.new_rows import FOLLOWS_NOT, Tail, marks_of, tail_of
from foldproof.tasks.data.incremental.restated import restatement
from foldproof.tasks.data.incremental.store import Kept, load, place_of, save, types_of
from foldproof.tasks.data.rows import ROLES, Rows
from foldproof.tasks.data.sources.checks import checked
from foldproof.tasks.data.sources.files import in_roles
from foldproof.tasks.data.sources.parse import parsed
from foldproof.tasks.data.spec import DataSpec

MOST_RESTATED = 5
"""Restatements that are told of, the newest ones."""


def followed(spec: DataSpec, today: date, folder: Path, read: Callable[[DataSpec], Rows]) -> Rows:
    """The checked rows of ``spec``, as ``checked(parsed(read(spec)))`` gives them.

    Args:
        spec: A source that can grow.
        today: No row may be dated later.
        folder: Where rows are kept.
        read: Reads the whole source, columns in their roles.

    Returns:
        The rows; a warning for each restatement of what was kept.

    Raises:
        DataError: What is wrong with the rows.
    """
    place = place_of(spec, folder)
    before = load(place)
    kept = None if before is None else grown(before, spec, today)
    if kept is None:
        kept = anew(before, spec, today, read, place)
    elif before is not None and kept is not before:
        save(kept, place, before.rows.frame["date"].iloc[-1])
    return kept.rows.with_frame(kept.rows.frame, kept.restated)


def anew(
    before: Kept | None, spec: DataSpec, today: date, read: Callable[[DataSpec], Rows], place: Path
) -> Kept:
    """Read and check everything; keep it, and say what of ``before`` it restates."""
    marks = marks_of(spec)  # first: rows that come in between are then found new once more
    raw = read(spec)
    rows = checked(parsed(raw, spec.features == "ready"), today)
    kept = Kept(rows, marks or {}, kinds_of(raw.frame))
    if before is None:
        return save(kept, place)
    old = before.rows.frame
    found = restatement(old, rows.frame, rows.called)
    told = (*before.restated, *([f"{found.sentence()}; noticed {today}"] if found else []))
    kept = replace(kept, restated=told[-MOST_RESTATED:], pieces=before.pieces)
    unchanged = found.first if found else old["date"].iloc[-1]
    return save(kept, place, unchanged if types_of(old) == types_of(rows.frame) else None)


def grown(kept: Kept, spec: DataSpec, today: date) -> Kept | None:
    """What is kept with the appended rows; None unless nothing else can have changed."""
    if kept.rows.frame["date"].iloc[-1] > pd.Timestamp(today):
        return None
    try:
        tail = tail_of(spec, kept)
        return None if tail is None else joined(kept, tail, spec, today)
    except FOLLOWS_NOT:
        return None  # the whole reading says what is wrong, with its place in the whole


def joined(kept: Kept, tail: Tail, spec: DataSpec, today: date) -> Kept | None:
    """The kept rows before the cut and, checked, those of the tail; None if they do not fit."""
    old, ready = kept.rows.frame, spec.features == "ready"
    if tail.rows.frame.empty:
        return kept if tail.total in (None, len(old)) else None
    raw = in_roles(tail.rows, spec)
    rows = parsed(raw, ready)
    inside = rows.frame["date"] >= tail.cut
    if (tail.appended and not inside.all()) or not alike(raw.frame, kept, ready):
        return None
    rows = rows.with_frame(rows.frame[inside])
    at = int(old["date"].searchsorted(tail.cut))
    new = fresh(rows, old.iloc[at:], today)
    if new is None or not steady(new, kept.rows):
        return None
    if tail.total not in (None, len(old) + len(new.frame)):
        return None
    if new.frame.empty:
        return replace(kept, marks=tail.marks) if tail.marks != kept.marks else kept
    frame = pd.concat([old, new.frame], ignore_index=True)
    if types_of(frame) != types_of(old) or types_of(new.frame) != types_of(old):
        return None
    return replace(kept, rows=replace(kept.rows, frame=frame), marks=tail.marks)


def fresh(rows: Rows, overlap: pd.DataFrame, today: date) -> Rows | None:
    """The checked rows after ``overlap``; None unless the others are those of the overlap."""
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
    """Whether two tables hold the same values of the same types in the same order."""
    return one.reset_index(drop=True).equals(other.reset_index(drop=True))


def steady(new: Rows, old: Rows) -> bool:
    """Whether what is said of the new rows is what is said of the old ones, and counts none."""
    said, before = new.about["warnings"], old.about["warnings"]
    return said == before and not any(re.search(r"\d rows", text) for text in said)


def kinds_of(frame: pd.DataFrame) -> dict[str, str]:
    """Name -> type of each column, and of the cells where the type leaves them open."""
    return {
        name: f"object {pd.api.types.infer_dtype(frame[name])}" if kind == "object" else kind
        for name, kind in types_of(frame).items()
    }


def alike(frame: pd.DataFrame, kept: Kept, ready: bool) -> bool:
    """Whether the columns of new rows would be read the same within the whole table."""
    kinds = kinds_of(frame)
    if [*kinds] != [*kept.kinds]:
        return False
    for name, kind in kinds.items():
        counted = (ready or name in ROLES) and kept.kinds[name] == "float64" and "int" in kind
        if kind != kept.kinds[name] and not counted and not frame[name].isna().all():
            return False
    return True
