"""Cost of a night that reads only the appended rows, compared with reading everything.

``python -m tests.benchmarks.bench_append`` writes 500 symbols x 10 years, appends one night, and
reads the result with and without ``incremental``. The sources: a Parquet file rewritten each night,
a Parquet file with one row group per night, a CSV file, DuckDB and SQLite. ``rows`` is reading and
checking the rows, ``panel`` is building the whole panel; both in CPU seconds, with the ratio of
incremental to full. Each pair of results is compared to the last bit. One thread.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foldproof.tasks.data import ColumnsSpec, DataSpec, build
from foldproof.tasks.data.panel.read import read

SYMBOLS, DAYS = 500, 2520
TODAY = date(2026, 1, 1)
COLUMNS = ColumnsSpec(volume="volume")
Writer = Callable[[pd.DataFrame, int, Path], DataSpec]


def prices() -> pd.DataFrame:
    """Daily rows and one more night."""
    rng = np.random.default_rng(0)
    days = pd.bdate_range("2014-01-02", periods=DAYS + 1)
    walk = np.cumsum(0.02 * rng.standard_normal((len(days), SYMBOLS)), axis=0)
    return pd.DataFrame({
        "date": np.repeat(days, SYMBOLS),
        "symbol": [f"S{number:04d}" for number in range(SYMBOLS)] * len(days),
        "close": 50 * np.exp(walk).ravel(),
        "volume": rng.integers(1000, 9000, walk.size).astype(float),
    })  # fmt: skip


def in_one_parquet(table: pd.DataFrame, added: int, folder: Path) -> DataSpec:
    """One file, written by pandas."""
    table.to_parquet(folder / "prices.parquet", index=False)
    return DataSpec(source="file", path=str(folder / "prices.parquet"))


def in_growing_parquet(table: pd.DataFrame, added: int, folder: Path) -> DataSpec:
    """Row groups of a hundred days, and one for the new night."""
    path, size = folder / "groups.parquet", 100 * SYMBOLS
    old = len(table) - added
    whole = pa.Table.from_pandas(table, preserve_index=False)
    with pq.ParquetWriter(path, whole.schema) as writer:
        writer.write_table(whole.slice(0, old), row_group_size=size)
        if added:
            writer.write_table(whole.slice(old))
    return DataSpec(source="file", path=str(path))


def in_csv(table: pd.DataFrame, added: int, folder: Path) -> DataSpec:
    """New lines appended at the end."""
    path = folder / "prices.csv"
    end = table.iloc[len(table) - added :]
    (end if added else table).to_csv(path, index=False, header=not added, mode="a")
    return DataSpec(source="file", path=str(path))


def in_duckdb(table: pd.DataFrame, added: int, folder: Path) -> DataSpec:
    """A table of a DuckDB file."""
    import duckdb

    path = folder / "prices.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.register("rows", table.iloc[len(table) - added :] if added else table)
        way = "insert into prices" if added else "create table prices as"
        connection.sql("set threads = 1")
        connection.execute(f"{way} select * from rows")
    return DataSpec(source="query", path=str(path), query="select * from prices")


def in_sqlite(table: pd.DataFrame, added: int, folder: Path) -> DataSpec:
    """A table with an index on its dates."""
    path = folder / "prices.db"
    end = table.iloc[len(table) - added :] if added else table
    with closing(sqlite3.connect(path)) as connection:
        end.assign(date=end["date"].dt.strftime("%Y-%m-%d")).to_sql(
            "prices", connection, index=False, if_exists="append"
        )
        connection.execute("create index if not exists by_date on prices (date)")
    return DataSpec(source="query", path=f"sqlite:///{path}", query="select * from prices")


WAYS: Mapping[str, Writer] = MappingProxyType({
    "Parquet, one piece": in_one_parquet,
    "Parquet, groups": in_growing_parquet,
    "CSV": in_csv,
    "DuckDB": in_duckdb,
    "SQLite": in_sqlite,
})  # fmt: skip


def measured(write: Writer, table: pd.DataFrame, folder: Path) -> Iterator[float]:
    """CPU seconds of the rows in full and appended, and of the panel in full and appended."""
    kept = folder / "kept"
    spec = replace(write(table.iloc[:-SYMBOLS], 0, folder), columns=COLUMNS, incremental=True)
    build(spec, now=TODAY, cache=kept)
    write(table, SYMBOLS, folder)
    plain = replace(spec, incremental=False)
    start = time.process_time()
    whole = read(plain, TODAY)
    yield time.process_time() - start
    start = time.process_time()
    appended = read(spec, TODAY, kept)
    yield time.process_time() - start
    pd.testing.assert_frame_equal(whole.frame, appended.frame, check_exact=True)
    start = time.process_time()
    one = build(plain, now=TODAY, cache=folder / "plain")
    yield time.process_time() - start
    start = time.process_time()
    other = build(spec, now=TODAY, cache=kept)
    yield time.process_time() - start
    assert one.fingerprint == other.fingerprint


def main() -> None:
    """Print one line per source."""
    table = prices()
    print(f"{SYMBOLS} symbols x {DAYS} days and one night [CPU seconds]")
    print(f"{'':<20} rows: all   appended (ratio)   panel: all   appended (ratio)")
    for name, write in WAYS.items():
        with tempfile.TemporaryDirectory() as folder:
            rows, new_rows, panel, new_panel = measured(write, table, Path(folder))
        print(
            f"{name:<20} {rows:9.2f}   {new_rows:8.2f} ({new_rows / rows:.2f})     "
            f"{panel:10.2f}   {new_panel:8.2f} ({new_panel / panel:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
