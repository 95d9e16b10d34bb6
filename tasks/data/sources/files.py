"""The user's table, from a Parquet or CSV file or from memory, with its columns in roles."""

import csv as csv_format
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from pandas.errors import EmptyDataError, ParserWarning

from foldproof.models.spec import brief, clipped, nearest
from foldproof.tasks.data.forms.names import ADJUSTED, FACTOR, plain
from foldproof.tasks.data.rows import ROLES, DataError, Rows, first_line, names_of, visible
from foldproof.tasks.data.spec import ColumnsSpec, DataSpec

NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "n/a", "#N/A", "<NA>"]
"""Texts that mean a missing value, except in the symbol column, where NA is a ticker."""

LARGEST_CELL = 2**31 - 1
"""Characters of a cell."""


def read_file(spec: DataSpec) -> Rows:
    """The rows of ``spec.path``, with columns in their roles.

    Raises:
        DataError: The file is missing, empty, unreadable, of another kind, or lacks a column.
    """
    return in_roles(read_table(str(spec.path), spec.columns.symbol), spec)


def read_table(name: str, symbol: str) -> Rows:
    """The table in a Parquet or CSV file, with the column names of the file.

    Args:
        name: Path of the file.
        symbol: Column of symbols, which stay text.

    Raises:
        DataError: The file is missing, empty, unreadable or of another kind.
    """
    path = Path(name).expanduser()
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise DataError(f"{path}: extension {kind or 'missing'}; use a .parquet or .csv file")
    if not path.is_file():
        raise DataError(f"{path}: {missing_file(path)}")
    csv = kind == ".csv"
    try:
        frame = read_csv(path, symbol) if csv else pd.read_parquet(path)
    except EmptyDataError:
        raise DataError(f"{path}: the file is empty; add a header and rows") from None
    except (ValueError, OSError, ParserWarning) as error:
        kinds = "a CSV file in UTF-8" if csv else "a Parquet file"
        raise DataError(f"{path}: not readable as {kinds}: {first_line(error)}") from error
    if csv:
        return Rows(flat(frame), str(path), "line", 2, line_of=partial(line_of, path))
    return Rows(flat(frame), str(path))


def line_of(path: Path, index: int) -> int:
    """The line of a CSV file on which row ``index`` begins, as an editor counts.

    Blank lines and line breaks inside quotes count too. The file is read again: only an error
    needs this number.
    """
    usual = csv_format.field_size_limit(LARGEST_CELL)
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader, end, row = csv_format.reader(stream), 0, -2
            for cells in reader:
                start, end = end + 1, reader.line_num
                row += bool(cells) and (len(cells) > 1 or bool(cells[0].strip()))
                if row == index:
                    return start
    except (csv_format.Error, ValueError):  # pandas reads some files that this reader refuses
        pass
    finally:
        csv_format.field_size_limit(usual)
    return index + 2


def read_csv(
    path: Path | BytesIO, symbol: str, types: Mapping[str, type] = MappingProxyType({})
) -> pd.DataFrame:
    """The table in a CSV file; symbols stay text, so that 000001 and NA survive.

    Args:
        path: The file, or its content.
        symbol: Column of symbols.
        types: Types of other columns; pandas infers the rest.
    """
    header = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0].fillna("").tolist()
    if isinstance(path, BytesIO):
        path.seek(0)
    nulls = {name: NULLS for name in header if name != symbol}
    text = {name: kind for name, kind in types.items() if name in header}
    text |= {symbol: str} if symbol in header else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ParserWarning)  # or cells beyond the header are dropped
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
    """``frame`` with named index levels as columns and rows numbered from 0."""
    levels = [name for name in frame.index.names if name is not None and name not in frame]
    return (frame.reset_index(levels) if levels else frame).reset_index(drop=True)


def missing_file(path: Path) -> str:
    """The message for a missing file, with the nearest name in its folder."""
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}; correct the path"
    if path.is_dir():
        return "this is a folder; set path to one file in it"
    if path.exists():
        return "this is a pipe or a device; set path to a file"
    names = [file.name for file in folder.iterdir() if file.is_file()]
    return f"there is no such file{nearest(path.name, names) or '; correct the path'}"


def in_roles(rows: Rows, spec: DataSpec) -> Rows:
    """The rows with columns named by their roles, and the columns that features may read.

    Raises:
        DataError: There are no rows, a needed column is missing, or a column name is a duplicate.
    """
    frame = rows.frame.rename(columns=str)
    if frame.empty:
        raise DataError(f"{rows.origin}: the table has no rows; provide some")
    require_distinct(rows.origin, names_of(frame))
    roles = wanted_roles(frame, spec)
    for role, name in roles.items():
        require_column(rows, name, f"columns.{role}")
    own = [] if spec.features == "price" else own_columns(rows, spec.columns, roles)
    roles_of = {name: role for role, name in roles.items()}
    warnings = ["left out a column without a name"] if "" in frame else []
    warnings += adjusted_beside(frame, roles.get("price"))
    named = rows.with_frame(frame[[*roles_of, *own]].rename(columns=roles_of), warnings)
    return replace(named, written=roles)


def adjusted_beside(frame: pd.DataFrame, price: str | None) -> list[str]:
    """A warning if the table has adjusted closes or their factors, but the price is another column.

    Args:
        frame: The table, with the names of the file.
        price: Its price; None without one.
    """
    if price is None or ADJUSTED.fullmatch(plain(price)):
        return []
    for kind, advice in (
        (ADJUSTED, "set columns.price to {!r}"),
        (FACTOR, "apply the factors of {!r}, as foldproof init does"),
    ):
        found = [name for name in names_of(frame) if kind.fullmatch(plain(name))]
        if found:
            return [
                f"{price} is the price although there is a column {found[0]!r}: if {price} is not "
                f"adjusted for splits and dividends, {advice.format(found[0])}"
            ]
    return []


def wanted_roles(frame: pd.DataFrame, spec: DataSpec) -> dict[str, str]:
    """The roles to fill; the price only if the table has one or something needs it."""
    roles = spec.columns.roles
    needs_price = spec.features == "price" or "target" not in roles
    if needs_price and "price" not in roles:
        raise DataError("columns.price is not set; price features and forward returns need it")
    if not needs_price and roles.get("price") not in frame:
        roles.pop("price", None)
    return roles


def own_columns(rows: Rows, columns: ColumnsSpec, roles: dict[str, str]) -> list[str]:
    """The features that the user lists, or all columns without a role.

    Raises:
        DataError: One of them is missing, or has the name of a role that it does not play.
    """
    for name in columns.features or ():
        require_column(rows, name, "columns.features")
    others = [name for name in names_of(rows.frame) if name and name not in roles.values()]
    chosen = [*(columns.features or others)]
    for name in chosen:
        if name in ROLES:
            raise DataError(
                f"{rows.origin}: column {name!r} has the name of a role but no role; set "
                f"columns.{name} to {name!r}, or rename the column"
            )
    return chosen


def require_distinct(origin: str, names: Sequence[str]) -> None:
    """Raise DataError if a column name is a duplicate."""
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f"{origin}: duplicate column {clipped(twice[0])}; rename one of them")


def require_column(rows: Rows, name: str, setting: str) -> None:
    """Raise DataError, with the nearest column, unless there is a column ``name``."""
    names = names_of(rows.frame)
    if name in names:
        return
    listed = ", ".join(brief(visible(one)) for one in names[:12])
    shown = listed + (", ..." if len(names) > 12 else "")
    near = (
        visible(nearest(name, names))
        or "; the table must be long, with one row per date and symbol."
    )
    raise DataError(f"{rows.origin}: no column {clipped(name)} ({setting}){near} There are {shown}")
