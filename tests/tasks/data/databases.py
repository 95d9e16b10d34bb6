"""The small market in databases: SQLite, a DuckDB file, DuckDB over a Parquet file."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pytest


def in_sqlite(frame: pd.DataFrame, folder: Path) -> tuple[str | None, str]:
    """Dates as text; a column of truth values becomes 0 and 1."""
    file = folder / "prices.db"
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d")).to_sql(
            "prices", connection, index=False
        )
    return f"sqlite:///{file}", "prices"


def in_duckdb(frame: pd.DataFrame, folder: Path) -> tuple[str | None, str]:
    """Dates as DuckDB dates."""
    duckdb = pytest.importorskip("duckdb")
    file = folder / "prices.duckdb"
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file)) as connection:
        connection.register("rows", frame)
        connection.sql("create table prices as select * replace (date::date as date) from rows")
    return str(file), "prices"


def in_parquet(frame: pd.DataFrame, folder: Path) -> tuple[str | None, str]:
    """No database: DuckDB over the file."""
    pytest.importorskip("duckdb")
    frame.to_parquet(folder / "prices.parquet", index=False)
    return None, f"'{folder}/prices.parquet'"


DATABASES: Mapping[str, Callable[[pd.DataFrame, Path], tuple[str | None, str]]] = MappingProxyType(
    {"sqlite": in_sqlite, "duckdb": in_duckdb, "duckdb over parquet": in_parquet}
)
"""Writes the table; returns the address and what to select from."""
