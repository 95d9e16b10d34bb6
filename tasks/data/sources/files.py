"""The user's own table, from a Parquet or CSV file or from memory, with its columns in roles."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from pandas.errors import EmptyDataError, ParserWarning

from foldproof.models.spec import nearest
from foldproof.tasks.data.rows import ROLES, DataError, Rows, names_of
from foldproof.tasks.data.spec import ColumnsSpec, DataSpec

NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "n/a", "#N/A", "<NA>"]
"""Texts that mean missing; not in the symbol column, where NA is a ticker."""


def read_file(spec: DataSpec) -> Rows:
    """Read ``spec.path`` and name its columns by their roles.

    Raises:
        DataError: The file is missing, empty, unreadable, of another kind, or lacks a column.
    """
    return in_roles(read_table(str(spec.path), spec.columns.symbol), spec)


def read_table(name: str, symbol: str) -> Rows:
    """The table in a Parquet or CSV file, its columns as they are called there.

    Args:
        name: Path of the file.
        symbol: Column of symbols, which stay text as written.

    Raises:
        DataError: The file is missing, empty, unreadable or of another kind.
    """
    path = Path(name).expanduser()
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise DataError(f"{path}: {kind or 'no'} extension; a .parquet or .csv file is needed")
    if not path.is_file():
        raise DataError(f"{path}: {missing_file(path)}")
    csv = kind == ".csv"
    try:
        frame = read_csv(path, symbol) if csv else pd.read_parquet(path)
    except EmptyDataError:
        raise DataError(f"{path}: the file is empty; a header and rows are needed") from None
    except (ValueError, OSError, ParserWarning) as error:
        reason = str(error).splitlines()[0]
        kinds = "a CSV file in UTF-8" if csv else "a Parquet file"
        raise DataError(f"{path}: not readable as {kinds}: {reason}") from error
    unit, first = ("line", 2) if csv else ("row", 1)
    return Rows(flat(frame), str(path), unit, first)


def read_csv(
    path: Path | BytesIO, symbol: str, types: Mapping[str, type] = MappingProxyType({})
) -> pd.DataFrame:
    """Read a CSV file; the symbol stays text as written, so that 000001 and NA survive.

    Args:
        path: The file, or what it holds.
        symbol: Column of symbols.
        types: Types of other columns that are not to be found out.
    """
    header = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0].fillna("").tolist()
    if isinstance(path, BytesIO):
        path.seek(0)
    nulls = {name: NULLS for name in header if name != symbol}
    text = {name: kind for name, kind in types.items() if name in header}
    text |= {symbol: str} if symbol in header else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ParserWarning)  # else cells beyond the header are cut off
        frame = pd.read_csv(
            path,
            dtype=text,
            na_values=nulls,
            keep_default_na=False,
            low_memory=False,
            index_col=False,
        )
    return frame.set_axis(header, axis=1)  # pandas renames a second column of the same name


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Make named index levels columns and number the rows from 0."""
    levels = [name for name in frame.index.names if name is not None and name not in frame]
    return (frame.reset_index(levels) if levels else frame).reset_index(drop=True)


def missing_file(path: Path) -> str:
    """Say that there is no such file, and name the nearest one in its folder."""
    folder = path.parent
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    if not folder.is_dir():
        return f"there is no folder {folder}; set path to a file in one"
    return f"there is no such file{nearest(path.name, names) or '; set path to one'}"


def in_roles(rows: Rows, spec: DataSpec) -> Rows:
    """Name the columns by their roles and keep those that the features can be read from.

    Raises:
        DataError: No rows, a column that is needed is missing, or a name stands twice.
    """
    frame = rows.frame.rename(columns=str)
    if frame.empty:
        raise DataError(f"{rows.origin}: the table has no rows; bring some")
    require_distinct(rows.origin, names_of(frame))
    roles = wanted_roles(frame, spec)
    for role, name in roles.items():
        require_column(rows, name, f"columns.{role}")
    own = [] if spec.features == "price" else own_columns(rows, spec.columns, roles)
    roles_of = {name: role for role, name in roles.items()}
    nameless = ["a column without a name left out"] if "" in frame else []
    named = rows.with_frame(frame[[*roles_of, *own]].rename(columns=roles_of), nameless)
    return replace(named, written=roles)


def wanted_roles(frame: pd.DataFrame, spec: DataSpec) -> dict[str, str]:
    """Roles to be filled; the price only where it is there or something needs it."""
    roles = spec.columns.roles
    needs_price = spec.features == "price" or "target" not in roles
    if needs_price and "price" not in roles:
        raise DataError("columns.price is not set; price features and forward returns need a price")
    if not needs_price and roles.get("price") not in frame:
        roles.pop("price", None)
    return roles


def own_columns(rows: Rows, columns: ColumnsSpec, roles: dict[str, str]) -> list[str]:
    """The named features, or all columns without a role.

    Raises:
        DataError: One of them is not there, or is named like a role that it does not play.
    """
    for name in columns.features or ():
        require_column(rows, name, "columns.features")
    others = [name for name in names_of(rows.frame) if name and name not in roles.values()]
    chosen = [*(columns.features or others)]
    for name in chosen:
        if name in ROLES:
            raise DataError(
                f"{rows.origin}: column {name!r} is named like a role but plays none; set "
                f"columns.{name} to {name!r}, or rename the column"
            )
    return chosen


def require_distinct(origin: str, names: Sequence[str]) -> None:
    """Raise DataError if a column name stands twice."""
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f"{origin}: column {twice[0]!r} stands twice; rename one of them")


def require_column(rows: Rows, name: str, setting: str) -> None:
    """Raise DataError, naming the nearest column, unless ``name`` is one."""
    names = names_of(rows.frame)
    if name in names:
        return
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    near = nearest(name, names) or "; the table must be long, one row a date and symbol."
    raise DataError(f"{rows.origin}: no column {name!r} ({setting}){near} There are {shown}")
