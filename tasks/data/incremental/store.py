"""Checked rows of a source, kept on disk between runs, with one file per year."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from foldproof.tasks.data.rows import Rows
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.files import draft_of, flush, mark_used, publish
from foldproof.tasks.version import code_version

NOTES = "rows.json"
READING = "foldproof.tasks.data.panel.read"
"""The module whose code, with all that it imports, decides what is kept."""
ORIGIN = ("origin", "unit", "first", "about", "written", "in_order")


@dataclass(frozen=True, eq=False)
class Kept:
    """The rows of a source as they were last read and checked.

    Attributes:
        rows: Checked rows, by date and symbol.
        marks: Facts by which the next run checks that these rows are unchanged; see ``new_rows``.
        kinds: Type of each column before it was parsed.
        restated: A sentence for each time that the history changed, newest last.
        pieces: Year -> name of the file with its rows.
    """

    rows: Rows
    marks: Mapping[str, Any]
    kinds: Mapping[str, str]
    restated: tuple[str, ...] = ()
    pieces: Mapping[str, str] = field(default_factory=dict)


def place_of(spec: DataSpec, folder: Path) -> Path:
    """The folder for the rows of a source; ``start``, ``end`` and ``min_history`` do not matter."""
    path = str(Path(spec.path).resolve()) if spec.source == "file" and spec.path else spec.path
    own = spec.features if spec.features in ("price", "ready") else "own"
    decides = [spec.source, path, spec.query, asdict(spec.columns), own]
    return folder / f"rows-{hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:20]}"


def load(place: Path) -> Kept | None:
    """The rows kept in ``place``; None if they are missing, broken, or written by other code."""
    mark_used(place / NOTES)
    try:
        notes = json.loads((place / NOTES).read_text(encoding="utf-8"))
        if notes["code"] != code_version(READING):
            return None
        parts = [pd.read_feather(place / name) for name in notes["pieces"].values()]
        frame = pd.concat(parts, ignore_index=True)
        if types_of(frame) != notes["types"]:
            return None
        rows = Rows(frame, **notes["rows"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    restated = tuple(notes["restated"])
    return Kept(rows, notes["marks"], notes["kinds"], restated, notes["pieces"])


def save(kept: Kept, place: Path, since: pd.Timestamp | None = None) -> Kept:
    """Write ``kept`` to ``place``, so that another process never reads half of it.

    Args:
        kept: The rows; cells for which Arrow has no type are not kept at all.
        place: Their folder.
        since: Years before this date have not changed since ``kept.pieces``; None if all have.

    Returns:
        ``kept`` with the names of its files.
    """
    place.mkdir(parents=True, exist_ok=True)
    pieces = {}
    try:
        for number, part in kept.rows.frame.groupby(kept.rows.frame["date"].dt.year):
            year = str(number)
            if since is not None and int(year) < since.year and year in kept.pieces:
                pieces[year] = kept.pieces[year]
                continue
            pieces[year] = f"{year}-{uuid.uuid4().hex[:12]}.arrow"
            part.reset_index(drop=True).to_feather(place / pieces[year], compression="zstd")
            flush(place / pieces[year])
    except (pa.ArrowException, TypeError, ValueError):  # cells that Arrow has no type for
        (place / NOTES).unlink(missing_ok=True)
        return kept
    kept = replace(kept, pieces=pieces)
    own = {name: getattr(kept, name) for name in ("marks", "kinds", "restated", "pieces")}
    origin = {name: getattr(kept.rows, name) for name in ORIGIN}
    types = types_of(kept.rows.frame)
    notes = own | {"code": code_version(READING), "types": types, "rows": origin}
    write_json(notes, place / NOTES)  # from here on the new files count instead of the old ones
    for file in place.glob("*.arrow"):
        if file.name not in pieces.values():
            file.unlink(missing_ok=True)
    return kept


def write_json(notes: Mapping[str, Any], file: Path) -> None:
    """Write ``file`` in one step, so that another process never reads half of it."""
    with draft_of(file) as draft:
        draft.write_text(json.dumps(notes), encoding="utf-8")
        publish(draft, file)


def types_of(frame: pd.DataFrame) -> dict[str, str]:
    """Name -> type of each column."""
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}
