"""The new rows of a source: the end of a file, the newest dates of a query."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.errors import ParserWarning

from foldproof.tasks.data.incremental.store import Kept
from foldproof.tasks.data.rows import Rows
from foldproof.tasks.data.sources.databases import opened, origin_of
from foldproof.tasks.data.sources.files import flat, read_csv
from foldproof.tasks.data.sources.parse import dates
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.data.sql import inner, quoted

Marks = Mapping[str, Any]
Span = tuple[str, str]
DAY = pd.Timedelta(days=1)
MARGIN = 2 * DAY
"""Days before the cut that a query reads too: time zones may move a row to another day."""


@dataclass(frozen=True, eq=False)
class Tail:
    """The end of a source.

    Attributes:
        rows: As the source returns them; every row dated ``cut`` or later is among them.
        cut: Rows before this date are the kept ones.
        marks: Marks of the source as it is now.
        appended: Whether rows before the cut would be new; else they were read in addition.
        total: Number of rows in the source; None if unknown.
    """

    rows: Rows
    cut: pd.Timestamp
    marks: Marks
    appended: bool = False
    total: int | None = None


def csv_marks(spec: DataSpec) -> Marks | None:
    """Size and hash of a file; None if its last line is incomplete."""
    content = path_of(spec).read_bytes()
    return marks_of_bytes(content) if content.endswith(b"\n") else None


def marks_of_bytes(content: bytes) -> Marks:
    """Size and hash."""
    return {"size": len(content), "sha256": sha256(content)}


def csv_tail(spec: DataSpec, kept: Kept) -> Tail | None:
    """The lines after those that were read, if the bytes before them are unchanged."""
    content = path_of(spec).read_bytes()
    size = kept.marks["size"]
    if sha256(content[:size]) != kept.marks["sha256"] or not content.endswith(b"\n"):
        return None
    header = content[: content.index(b"\n") + 1]
    named = {kept.rows.called(name): kind for name, kind in kept.kinds.items()}
    frame = read_csv(io.BytesIO(header + content[size:]), spec.columns.symbol, as_before(named))
    cut = kept.rows.frame["date"].iloc[-1] + DAY
    return Tail(Rows(frame, str(spec.path)), cut, marks_of_bytes(content), appended=True)


def as_before(kinds: Mapping[str, str]) -> dict[str, type]:
    """Types that columns had in the complete file: a few lines alone could suggest others."""
    text = ("str", "object", "string")
    found = {name: str for name, kind in kinds.items() if kind.startswith(text)}
    return found | {name: float for name, kind in kinds.items() if kind == "float64"}


def parquet_marks(spec: DataSpec) -> Marks:
    """Hash of the schema; hash, first and last date of each row group."""
    with path_of(spec).open("rb") as stream, pq.ParquetFile(stream) as file:
        spans = [span(file, group, spec) for group in range(file.num_row_groups)]
        return {"schema": schema_hash(file), "groups": groups(group_hashes(file, stream), spans)}


def parquet_tail(spec: DataSpec, kept: Kept) -> Tail | None:
    """The row groups from the first changed one on, and those with dates as late as theirs."""
    with path_of(spec).open("rb") as stream, pq.ParquetFile(stream) as file:
        if schema_hash(file) != kept.marks["schema"]:
            return None
        before, hashes = kept.marks["groups"], group_hashes(file, stream)
        pairs = zip(hashes, (digest for digest, _ in before), strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        spans = [span for _, span in before[:same]]
        spans += [span(file, group, spec) for group in range(same, len(hashes))]
        changed = [*spans[same:], *(span for _, span in before[same:])]
        marks = {"schema": kept.marks["schema"], "groups": groups(hashes, spans)}
        first = min((start for start, _ in changed), default=None)
        cut = pd.Timestamp(first) if first else kept.rows.frame["date"].iloc[-1] + DAY
        wanted = [at for at, (_, end) in enumerate(spans) if pd.Timestamp(end) >= cut]
        return Tail(Rows(groups_of(file, wanted, path_of(spec)), str(spec.path)), cut, marks)


def groups(hashes: list[str], spans: list[Span]) -> list[list[Any]]:
    """Hash and dates of each row group, as lists: JSON has no tuples."""
    return [[digest, [*span]] for digest, span in zip(hashes, spans, strict=True)]


def span(file: pq.ParquetFile, group: int, spec: DataSpec) -> Span:
    """First and last date of a row group."""
    column = file.read_row_group(group, columns=[spec.columns.date]).column(spec.columns.date)
    days, _ = dates(Rows(pd.DataFrame({"date": column.unique().to_pandas()}), ""), "date")
    return str(days.min().date()), str(days.max().date())


def schema_hash(file: pq.ParquetFile) -> str:
    """Hash of the types of the columns, without the number of rows that pandas notes."""
    notes = json.loads((file.schema_arrow.metadata or {}).get(b"pandas", b"{}"))
    index = [level for level in notes.get("index_columns", []) if isinstance(level, str)]
    columns = [file.schema.column(at) for at in range(len(file.schema))]
    stored = [(one.path, one.physical_type, str(one.logical_type)) for one in columns]
    decides = [str(file.schema_arrow.remove_metadata()), stored, notes.get("columns"), index]
    return sha256(json.dumps(decides).encode())


def group_hashes(file: pq.ParquetFile, stream: io.BufferedReader) -> list[str]:
    """Hash of the bytes of each row group and of the facts that decode them."""
    found = []
    for group in range(file.num_row_groups):
        digest = hashlib.sha256()
        meta = file.metadata.row_group(group)
        for number in range(meta.num_columns):
            chunk = meta.column(number)
            start = min(at for at in (chunk.dictionary_page_offset, chunk.data_page_offset) if at)
            decides = (chunk.path_in_schema, chunk.compression, chunk.num_values, chunk.encodings)
            digest.update(f"{decides}{chunk.data_page_offset - start}".encode())
            stream.seek(start)
            digest.update(stream.read(chunk.total_compressed_size))
        found.append(digest.hexdigest())
    return found


def groups_of(file: pq.ParquetFile, groups: list[int], path: Path) -> pd.DataFrame:
    """The rows of some row groups, as pandas would read them from a file."""
    if len(groups) == file.num_row_groups:
        return flat(pd.read_parquet(path))
    buffer = io.BytesIO()
    table = file.read_row_groups(groups)
    pq.write_table(table, buffer, compression="none", use_dictionary=False)
    return flat(pd.read_parquet(buffer))


def query_tail(spec: DataSpec, kept: Kept) -> Tail | None:
    """The rows of the newest ``spec.overlap`` kept dates and of all dates after them.

    It needs no marks: those dates are compared with the kept ones.
    """
    days = kept.rows.frame["date"].drop_duplicates()
    if len(days) <= spec.overlap:
        return None
    cut = days.iloc[-spec.overlap]
    since = (cut - MARGIN).strftime("%Y-%m-%d")
    whole = "int" in kept.kinds["date"]
    bound = since.replace("-", "") if whole else f"'{since}'"
    query = str(spec.query)
    with opened(spec.path, query) as ask:
        total = int(ask(inner(query, "count(*)")).to_numpy()[0, 0])
        frame = ask(inner(query, where=f"where {quoted(spec.columns.date)} >= {bound}"))
    rows = Rows(frame, origin_of(spec.path), in_order=False)
    return Tail(rows, cut, {}, total=total)


def path_of(spec: DataSpec) -> Path:
    """The file of ``spec``."""
    return Path(str(spec.path)).expanduser()


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def kind_of(spec: DataSpec) -> str:
    """The key of :data:`MARKS` and :data:`TAILS` for a source."""
    return "query" if spec.source == "query" else path_of(spec).suffix.lower()


UNREADABLE = (ValueError, TypeError, KeyError, OSError, ParserWarning, pa.ArrowException)
"""Errors of a source whose new rows cannot be read by themselves; DataError is a ValueError."""
MARKS: Mapping[str, Callable[[DataSpec], Marks | None]] = MappingProxyType(
    {".csv": csv_marks, ".parquet": parquet_marks, "query": lambda _: {}}
)
"""By kind of source: facts by which a later run checks that the rows read now are unchanged; None
if there are none."""
TAILS: Mapping[str, Callable[[DataSpec, Kept], Tail | None]] = MappingProxyType(
    {".csv": csv_tail, ".parquet": parquet_tail, "query": query_tail}
)
"""By kind of source: the rows after the kept ones; None if the kept ones changed or cannot be
checked."""
