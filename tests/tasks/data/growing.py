"""A ragged market that grows night by night, and the ways in which its owner may keep it."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foldproof.tasks.data import ColumnsSpec, DataSpec
from tests.tasks.data.databases import in_duckdb, in_parquet, in_sqlite

COLUMNS = ColumnsSpec(price="close", volume="volume", member="member")
Writer = Callable[[pd.DataFrame, pd.DataFrame | None, Path], DataSpec]


def nights(seed: int, first: int = 30, then: int = 6) -> Iterator[pd.DataFrame]:
    """Rows of the first days, then of a few more each night: listings, delistings, holes.

    Args:
        seed: Of all draws.
        first: Days of the first table.
        then: Nights after it.
    """
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2019-11-20", periods=first + 4 * then)  # over the end of a year
    symbols = np.array(["AAA", "000001", "NA", "BRK.B", "ZZZ", "NEW", "OLD"])
    at = 0
    for size in (first, *rng.integers(1, 4, then)):
        held = rng.random((size, len(symbols))) < 0.8
        held[:, 0] = True  # a day without a row does not count
        held[:, 5] &= at > 0
        held[:, 6] &= at == 0
        day, symbol = held.nonzero()
        frame = pd.DataFrame({
            "date": days[at + day], "symbol": symbols[symbol],
            "close": rng.lognormal(3, 1, len(day)), "volume": rng.integers(0, 10**6, len(day)) / 2,
            "member": rng.random(len(day)) < 0.9, "sector": "tech",
            "score": rng.standard_normal(len(day)), "count": rng.integers(0, 9, len(day)),
        })  # fmt: skip
        frame.loc[rng.random(len(frame)) < 0.1, "close"] = np.nan
        frame.loc[rng.random(len(frame)) < 0.1, "volume"] = np.nan
        yield frame
        at += size


def in_csv(table: pd.DataFrame, added: pd.DataFrame | None, folder: Path) -> DataSpec:
    """Lines are added at the end of the file."""
    path = folder / "prices.csv"
    if added is None:
        table.to_csv(path, index=False)
    else:
        added.to_csv(path, index=False, header=False, mode="a")
    return DataSpec(source="file", path=str(path))


def in_one_parquet(
    table: pd.DataFrame, added: pd.DataFrame | None, folder: Path, rows: int | None = None
) -> DataSpec:
    """The file is written anew each night, in row groups of ``rows``."""
    path = folder / "prices.parquet"
    table.to_parquet(path, index=False, row_group_size=rows)
    return DataSpec(source="file", path=str(path))


def in_growing_parquet(table: pd.DataFrame, added: pd.DataFrame | None, folder: Path) -> DataSpec:
    """Each night is a row group of its own; those before it are the same bytes."""
    path = folder / "prices.parquet"
    parts = [] if added is None else [*groups_in(path), pa.Table.from_pandas(added)]
    parts = [part.cast(parts[0].schema) for part in parts] or [pa.Table.from_pandas(table)]
    with pq.ParquetWriter(path, parts[0].schema) as writer:
        for part in parts:
            writer.write_table(part)
    return DataSpec(source="file", path=str(path))


def groups_in(path: Path) -> list[pa.Table]:
    """The row groups of a file."""
    with pq.ParquetFile(path) as file:
        return [file.read_row_group(at) for at in range(file.num_row_groups)]


def asked(
    write: Callable[[pd.DataFrame, Path], tuple[str | None, str]],
    table: pd.DataFrame, added: pd.DataFrame | None, folder: Path,
) -> DataSpec:  # fmt: skip
    """Rows of a database have no order: they come in a drawn one."""
    address, name = write(table.sample(frac=1, random_state=len(table)), folder)
    return DataSpec(source="query", path=address, query=f"select * from {name}", overlap=5)


def with_times(table: pd.DataFrame, added: pd.DataFrame | None, folder: Path) -> DataSpec:
    """Closing times in the date column of SQLite, as text."""
    path = folder / "prices.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        dates = table["date"].dt.strftime("%Y-%m-%d 16:00:00")
        table.assign(date=dates).to_sql("prices", connection, index=False)
    return DataSpec(
        source="query", path=f"sqlite:///{path}", query="select * from prices", overlap=3
    )


def with_whole_numbers(table: pd.DataFrame, added: pd.DataFrame | None, folder: Path) -> DataSpec:
    """Dates as 20200131 in SQLite."""
    path = folder / "prices.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        dates = table["date"].dt.strftime("%Y%m%d").astype(int)
        table.assign(date=dates).to_sql("prices", connection, index=False)
    return DataSpec(source="query", path=f"sqlite:///{path}", query="select * from prices")


def needs_duckdb(write: Callable[..., DataSpec]) -> Writer:
    """Skip where DuckDB is not installed."""

    def written(table: pd.DataFrame, added: pd.DataFrame | None, folder: Path) -> DataSpec:
        pytest.importorskip("duckdb")
        return write(table, added, folder)

    return written


WAYS: Mapping[str, Writer] = MappingProxyType({
    "csv": in_csv,
    "parquet, one group": in_one_parquet,
    "parquet, groups across dates": partial(in_one_parquet, rows=40),
    "parquet, a group a night": in_growing_parquet,
    "sqlite": partial(asked, in_sqlite),
    "sqlite with times": with_times,
    "sqlite with whole numbers": with_whole_numbers,
    "duckdb": needs_duckdb(partial(asked, in_duckdb)),
    "duckdb over parquet": needs_duckdb(partial(asked, in_parquet)),
})  # fmt: skip
"""Writes the whole table, or adds the second one to it; returns the source."""
