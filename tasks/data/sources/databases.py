"""Databases, opened for reading only."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from foldproof.tasks.data.address import filled, kind_of, masked
from foldproof.tasks.data.rows import DataError, Rows, first_line
from foldproof.tasks.data.sources.files import in_roles, missing_file
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.data.sql import inner, line_of

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

Ask = Callable[[str], pd.DataFrame]
FOLDERS = "FOLDPROOF_DATA"
"""Environment variable: the folders whose files a DuckDB query may read, separated as in PATH."""


def origin_of(address: str | None) -> str:
    """The name of a query's result in errors."""
    return f"the query on {address}" if address else "the query"


def opened(address: str | None, query: str) -> AbstractContextManager[Ask]:
    """A connection that cannot write, as a function from SQL to a table; closed afterwards.

    Args:
        address: As in :func:`foldproof.tasks.data.address.kind_of`.
        query: The user's query, for the line number in errors.

    Raises:
        DataError: No such database, no driver for it, a variable that is not set, or a query that
            the database refuses. No message contains a password.
    """
    return (duckdb_asked if kind_of(address) == "duckdb" else sql_asked)(address, query)


@contextmanager
def duckdb_asked(address: str | None, query: str) -> Iterator[Ask]:
    """A function from SQL to a table, on a DuckDB file or on the files that the query names."""
    try:
        import duckdb
    except ImportError:
        raise DataError(
            "a query without an address, or on a .duckdb file, needs DuckDB, which is not "
            "installed; run pip install 'foldproof[duckdb]'"
        ) from None
    file = None if address is None else existing(Path(address.removeprefix("duckdb:///")))
    try:
        connection = duckdb.connect(str(file or ":memory:"), read_only=file is not None)
    except duckdb.Error as error:
        raise DataError(f"{address}: not readable as a DuckDB file: {first_line(error)}") from error

    folders = readable_folders()

    def ask(text: str) -> pd.DataFrame:
        try:
            return connection.sql(text).df()
        except duckdb.PermissionException as error:
            raise DataError(
                f"{origin_of(address)} may read no file outside {' and '.join(folders)}: "
                f"{first_line(error)}. Move the file there, or set {FOLDERS} to its folder where "
                "the command is started"
            ) from error
        except duckdb.Error as error:
            raise refused(address, query, error) from error

    with connection:
        for setting in locked_down(folders):
            connection.execute(setting)
        yield ask


def readable_folders() -> list[str]:
    """The folders whose files a query may read: those of ``FOLDERS``, or the working directory.

    A setting of the experiment cannot widen them, because the query itself is such a setting, and
    whoever may start a flow over the network would then read every file of the machine.
    """
    given = [part for part in os.environ.get(FOLDERS, "").split(os.pathsep) if part]
    return [str(Path(part).expanduser().resolve()) for part in given or ["."]]


def locked_down(folders: list[str]) -> list[str]:
    """Statements after which a query reads files of ``folders`` only, in the order that works.

    No network, no extension, no variable of Python, no link out of a folder, and no way back.
    """
    inside = (folder.rstrip("/").replace("'", "''") for folder in folders)
    listed = ", ".join(f"'{folder}/'" for folder in inside)
    return [
        "set python_enable_replacements = false",
        "set autoinstall_known_extensions = false",
        "set autoload_known_extensions = false",
        f"set allowed_directories = [{listed}]",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ]


@contextmanager
def sql_asked(address: str | None, query: str) -> Iterator[Ask]:
    """A function from SQL to a table, on SQLite or PostgreSQL: one snapshot, then rolled back."""
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    engine, secrets = engine_of(str(address))
    try:
        with engine.connect() as plain:
            connection = plain.execution_options(no_parameters=True)

            def ask(text: str) -> pd.DataFrame:
                answer = connection.exec_driver_sql(text)
                return pd.DataFrame.from_records(
                    [tuple(row) for row in answer], columns=[*answer.keys()], coerce_float=True
                )

            yield ask
    except SQLAlchemyError as error:
        cause: BaseException = getattr(error, "orig", None) or error
        if isinstance(error, DBAPIError) and error.statement:
            raise refused(address, query, cause, secrets) from None
        reason = masked(first_line(cause), secrets)
        raise DataError(f"{address}: no connection: {reason}") from None  # it may hold the address


def engine_of(address: str) -> tuple["Engine", tuple[str, ...]]:
    """The engine of an address, and the secrets in the address.

    Raises:
        DataError: A variable is not set, or the driver or the file is missing.
    """
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    try:
        text, secrets = filled(address, os.environ)
        url = make_url(text)
        if kind_of(address) == "sqlite":
            return create_engine("sqlite://", creator=sqlite_creator(url), poolclass=NullPool), ()
        engine = create_engine(url, poolclass=NullPool)
    except KeyError as error:
        raise DataError(
            f"{address}: the environment does not set {error.args[0]}; export it"
        ) from None
    except ModuleNotFoundError as error:
        raise DataError(
            f"{address}: {error}; install the driver, such as pip install 'psycopg[binary]'"
        ) from None
    except DataError:
        raise
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise DataError(
            f"{address}: not an address; write postgresql+psycopg://user@host:5432/prices"
        ) from None
    if engine.dialect.is_async:
        raise DataError(f"{address}: this driver is asynchronous; write postgresql+psycopg://...")
    settings: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return engine.execution_options(**settings), secrets


def sqlite_creator(url: "URL") -> Callable[[], sqlite3.Connection]:
    """A function that opens the SQLite file of ``url`` and does not create a missing one."""
    file = existing(Path(url.database or ""))

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=ro", uri=True)
        connection.execute("pragma query_only = on")
        return connection

    return connect


def existing(path: Path) -> Path:
    """The file of a database, with ~ expanded.

    Raises:
        DataError: There is no such file.
    """
    file = path.expanduser()
    if not file.is_file():
        raise DataError(f"{file}: {missing_file(file)}")
    return file


def refused(
    address: str | None, query: str, error: BaseException, secrets: tuple[str, ...] = ()
) -> DataError:
    """The error for a refused query: the line of the query and the database's reason."""
    line = line_of(query, str(error))
    where = f"line {line} of {origin_of(address)}" if line else origin_of(address)
    return DataError(f"{where}: {masked(first_line(error), secrets)}")


def read_query(spec: DataSpec) -> Rows:
    """The result of ``spec.query`` on the database at ``spec.path``, with columns in their roles.

    The rows of a result have no order, so none is expected.

    Raises:
        DataError: No such database, a query that it refuses, no rows, or a column is missing.
    """
    query = str(spec.query)
    with opened(spec.path, query) as ask:
        frame = ask(inner(query))
    return in_roles(Rows(frame, origin_of(spec.path), in_order=False), spec)
