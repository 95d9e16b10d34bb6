"""From columns as they were written to dates, numbers and truth values."""

import re
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from foldproof.models.spec import clipped
from foldproof.tasks.data.rows import CONTROL, ROLES, DataError, Rows, free_columns

TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
STAMP = "datetime64[us]"


def parsed(rows: Rows, ready: bool) -> Rows:
    """The rows with a type for each column.

    Args:
        rows: Columns in their roles.
        ready: Whether the columns without a role are features: then they must be numbers, and
            columns of text are left out with a warning.

    Raises:
        DataError: A cell cannot be read; the message names the first one and counts the others.
    """
    for name in ("date", "known", "label_end"):
        if name in rows.frame:
            days, warnings = dates(rows, name)
            rows = rows.with_frame(rows.frame.assign(**{name: days}), warnings)
    text = [name for name in free_columns(rows.frame) if ready and is_text(rows.frame[name])]
    frame = rows.frame.drop(columns=text).assign(symbol=symbols(rows))
    if "member" in frame:
        frame = frame.assign(member=truth(rows, "member"))
    numeric = ["price", "volume", "target", *(free_columns(frame) if ready else [])]
    found = {name: numbers(rows, name) for name in numeric if name in frame}
    warnings = [f"left column {name!r} out of the features: it holds text" for name in text]
    return rows.with_frame(frame.assign(**found), warnings)


def dates(rows: Rows, name: str) -> tuple[pd.Series, list[str]]:
    """Column ``name`` as days, and warnings about dropped time zones and times of day."""
    column = rows.frame[name]
    text = with_numbers_as_text(column)
    try:
        stamps = pd.to_datetime(text, format="ISO8601", errors="coerce")
    except ValueError:
        raise DataError(
            f"{rows.origin}: column {rows.called(name)!r} mixes time zones; write plain trading "
            "days such as 2020-01-31"
        ) from None
    bad = stamps.isna() & column.notna()
    if bad.any():
        raise fault(rows, bad, name, "is not an ISO date; write 2020-01-31")
    if stamps.isna().any() and name == "date":
        raise fault(rows, stamps.isna(), name, "is missing; every row needs a trading day")
    warnings = []
    if stamps.dt.tz is not None:
        warnings.append(
            f"{rows.called(name)}: dropped time zone {stamps.dt.tz} and kept its local days"
        )
        stamps = stamps.dt.tz_localize(None)
    days = stamps.dt.normalize()
    with_time = int((stamps != days).sum() - stamps.isna().sum())
    if with_time:
        every = with_time == int(stamps.notna().sum())
        where = "every row" if every else f"{with_time} rows"
        warnings.append(f"{rows.called(name)}: dropped the time of day in {where}")
    return days.dt.as_unit("us"), warnings


def with_numbers_as_text(column: pd.Series) -> pd.Series:
    """The column with its numbers as text, so that 20200131 is a day and 5 is none."""
    if types.is_integer_dtype(column):
        return column.astype("Int64").astype("string")
    if column.dtype == object or types.is_numeric_dtype(column):
        return column.astype(object).map(number_as_text, na_action="ignore")
    return column


def number_as_text(cell: Any) -> Any:
    """A number as text, a whole one without decimals; anything else unchanged."""
    if not isinstance(cell, Number):
        return cell
    whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if whole else cell)


def symbols(rows: Rows) -> pd.Series:
    """The symbols as text, without blanks at the ends."""
    column = rows.frame["symbol"]
    text = column.astype(str).str.strip()
    missing = column.isna() | (text == "")
    if missing.any():
        raise fault(rows, missing, "symbol", "is missing; every row needs a symbol")
    hidden = text.isin([name for name in text.unique() if re.search(CONTROL, name)])
    if hidden.any():
        why = "holds a line break or another control character; write it without"
        raise fault(rows, hidden, "symbol", why)
    return text


def numbers(rows: Rows, name: str) -> pd.Series:
    """Column ``name`` as floating point numbers."""
    column = rows.frame[name]
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        return column.astype("float64") if name in ROLES else column
    values = pd.to_numeric(column, errors="coerce")
    bad = values.isna() & column.notna()
    if bad.any():
        raise fault(rows, bad, name, "is not a number; write 1234.5 and leave missing cells empty")
    return values.astype("float64")


def is_text(column: pd.Series) -> bool:
    """Whether a column without a role holds text: none of its cells is a number."""
    if types.is_numeric_dtype(column) or column.isna().all():
        return False
    return bool(pd.to_numeric(column, errors="coerce").isna().all())


def truth(rows: Rows, name: str) -> pd.Series:
    """Column ``name`` as True or False."""
    column = rows.frame[name]
    if column.dtype == bool:
        return column
    values = column.astype(str).str.strip().str.lower().map(TRUTH)
    if values.isna().any():
        raise fault(rows, values.isna(), name, "is not true or false; write true, false, 1 or 0")
    return values.astype(bool)


def fault(rows: Rows, bad: pd.Series, name: str, why: str) -> DataError:
    """The error for the cells ``bad`` of column ``name``: the first one, and their number."""
    first = int(bad.to_numpy().argmax())
    row = rows.frame.iloc[first]
    day = f"{row['date']:%Y-%m-%d}" if isinstance(row["date"], pd.Timestamp) else ""
    symbol = "" if pd.isna(row["symbol"]) else str(row["symbol"]).strip()
    symbol = re.sub(CONTROL, "\N{REPLACEMENT CHARACTER}", symbol)[:100]
    known = ", ".join(part for part in (day, symbol) if part)
    where = rows.place(int(rows.frame.index[first])) + (f" ({known})" if known else "")
    value = row[name].date() if isinstance(row[name], pd.Timestamp) else row[name]
    shown = "" if pd.isna(row[name]) or value == "" else f" {clipped(str(value))}"
    count = int(bad.sum())
    more = "" if count == 1 else f" ({count} such rows)"
    return DataError(f"{where}: {rows.called(name)}{shown} {why}{more}")
