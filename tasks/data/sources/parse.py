"""From columns as they were written to dates, numbers and truth values."""

import re
from datetime import date, timedelta
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from foldproof.models.spec import clipped
from foldproof.tasks.data.rows import ROLES, DataError, Rows, free_columns, visible

TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
STAMP = "datetime64[us]"
OFFSET = r"(?:Z|[+-]\d{2}:?\d{2})$"
WHOLE = re.compile(r"(\d+)\.0+")
"""A whole number that was written as a floating-point number, such as a PERMNO."""


def parsed(rows: Rows, ready: bool) -> Rows:
    """The rows with a type for each column.

    Args:
        rows: Columns in their roles.
        ready: Whether the columns without a role are features: then they must be numbers, and
            columns of text, dates or other things are left out with a warning.

    Raises:
        DataError: A cell cannot be read; the message names the first one and counts the others.
    """
    for name in ("date", "known", "label_end"):
        if name in rows.frame:
            days, warnings = dates(rows, name)
            rows = rows.with_frame(rows.frame.assign(**{name: days}), warnings)
    held = {name: not_numbers(rows.frame[name]) for name in free_columns(rows.frame) if ready}
    other = {name: what for name, what in held.items() if what}
    frame = rows.frame.drop(columns=[*other]).assign(symbol=symbols(rows))
    if "member" in frame:
        frame = frame.assign(member=truth(rows, "member"))
    if "industry" in frame:
        text = frame["industry"].astype("string").str.strip().fillna("")
        frame = frame.assign(industry=text.astype(str))
    numeric = ["price", "volume", "target", *(free_columns(frame) if ready else [])]
    found = {name: numbers(rows, name) for name in numeric if name in frame}
    warnings = [
        f"left column {name!r} out of the features: it holds {what}" for name, what in other.items()
    ]
    return rows.with_frame(frame.assign(**found), warnings)


def dates(rows: Rows, name: str) -> tuple[pd.Series, list[str]]:
    """Column ``name`` as days, and warnings about dropped time zones and times of day."""
    column = rows.frame[name]
    warnings: list[str] = []
    whole = is_whole(column)
    text = column.astype("Int64").astype("string") if whole else with_numbers_as_text(column)
    try:
        stamps = pd.to_datetime(text, format="ISO8601", errors="coerce")
    except ValueError:
        text, warnings = local(rows, name)
        stamps = pd.to_datetime(text, format="ISO8601", errors="coerce")
    bad = stamps.isna() & column.notna()
    if bad.any():
        raise fault(rows, bad, name, "is not an ISO date; write 2020-01-31")
    if stamps.isna().any() and name == "date":
        raise fault(rows, stamps.isna(), name, "is missing; every row needs a trading day")
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
    if column.dtype == object or types.is_numeric_dtype(column):
        return column.astype(object).map(number_as_text, na_action="ignore")
    return column


def number_as_text(cell: Any) -> Any:
    """A number as text, a whole one without decimals; anything else unchanged."""
    if not isinstance(cell, Number):
        return cell
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def local(rows: Rows, name: str) -> tuple[pd.Series, list[str]]:
    """Texts of times with several UTC offsets as local times, and a warning.

    They are read if all of them are midnights, or if the offsets are those of one time zone in
    summer and winter: two, an hour apart, and never both on one day.

    Raises:
        DataError: Anything else; the first row with another offset.
    """
    text = rows.frame[name].astype("string").str.strip()
    offset = text.str.extract(f"({OFFSET})", expand=False)
    wall = text.str.replace(OFFSET, "", regex=True)
    found = offset.dropna().unique().tolist()
    times = pd.to_datetime(wall, format="ISO8601", errors="coerce")
    midnight = bool((times.dropna() == times.dropna().dt.normalize()).all())
    hours = pd.to_timedelta([f"{one[:3]}:{one[-2:]}:00" if one != "Z" else "0h" for one in found])
    an_hour = len(found) == 2 and abs(hours[0] - hours[1]) == pd.Timedelta(hours=1)
    one_zone = an_hour and bool((offset.groupby(times.dt.normalize()).nunique() == 1).all())
    if offset[text.notna()].isna().any() or not (midnight or one_zone):
        zone = offset.fillna("none")
        odd = text.notna() & (zone != zone.iloc[0])
        why = "has another time zone than the first row; write plain trading days as 2020-01-31"
        raise fault(rows, odd, name, why)
    shown = ", ".join(sorted(found))
    return wall, [f"{rows.called(name)}: dropped the UTC offsets {shown} and kept the local days"]


def is_whole(column: pd.Series) -> bool:
    """Whether a numeric column holds whole numbers only; missing cells make pandas use floats."""
    if types.is_float_dtype(column):
        given = column.dropna()
        return bool((given == given.round()).all() and (given.abs() < 2**53).all())
    return bool(types.is_integer_dtype(column))


def symbols(rows: Rows) -> pd.Series:
    """The symbols as text, without blanks at the ends; whole numbers without a decimal point.

    Raises:
        DataError: A symbol is missing, or holds an invisible character and so would count as
            another symbol.
    """
    column = rows.frame["symbol"]
    text = (column.astype("Int64") if is_whole(column) else column).astype(str).str.strip()
    missing = column.isna() | (text == "")
    if missing.any():
        raise fault(rows, missing, "symbol", "is missing; every row needs a symbol")
    names = {name: WHOLE.sub(r"\1", name) if WHOLE.fullmatch(name) else name for name in set(text)}
    hidden = [name for name in names if not name.isprintable()]
    if hidden:
        why = "holds an invisible character, so it would be another symbol; remove the character"
        raise fault(rows, text.isin(hidden), "symbol", why)
    return text.map(names)


def numbers(rows: Rows, name: str) -> pd.Series:
    """Column ``name`` as floating point numbers."""
    column = rows.frame[name]
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        return column.astype("float64") if name in ROLES else column
    other = not_numbers(column)
    values = pd.Series(np.nan, column.index) if other else pd.to_numeric(column, errors="coerce")
    bad = values.isna() & column.notna()
    if bad.any():
        raise fault(rows, bad, name, "is not a number; write 1234.5 and leave missing cells empty")
    return values.astype("float64")


def not_numbers(column: pd.Series) -> str:
    """What a column holds instead of numbers, such as text; empty if some cell is a number.

    pandas would turn dates and spans of time into whole numbers of nanoseconds.
    """
    kind = column.dtype
    if types.is_datetime64_any_dtype(kind) or isinstance(kind, pd.PeriodDtype):
        return "dates"
    if types.is_timedelta64_dtype(kind):
        return "spans of time"
    if types.is_complex_dtype(kind):
        return "complex numbers"
    given = column.dropna()
    if types.is_numeric_dtype(kind) or not len(given):
        return ""
    if not pd.to_numeric(given, errors="coerce").isna().all():
        return ""
    return what_is(given.iloc[0])


def what_is(value: Any) -> str:
    """A word for cells like ``value``, which is not a number."""
    if isinstance(value, date | np.datetime64):
        return "dates"
    if isinstance(value, timedelta | np.timedelta64):
        return "spans of time"
    return "text" if isinstance(value, str) else f"cells of type {type(value).__name__}"


def truth(rows: Rows, name: str) -> pd.Series:
    """Column ``name`` as True or False."""
    column = rows.frame[name]
    if column.dtype == bool:
        return column
    values = column.astype(str).str.strip().str.lower().map(TRUTH)
    if values.isna().any():
        raise fault(rows, values.isna(), name, "is not true or false; write true, false, 1 or 0")
    return values.astype(bool)


def is_blank(cell: Any) -> bool:
    """Whether a cell has nothing to show; a list in a cell is not a missing value."""
    return bool(pd.isna(cell) or cell == "") if types.is_scalar(cell) else False


def fault(rows: Rows, bad: pd.Series, name: str, why: str) -> DataError:
    """The error for the cells ``bad`` of column ``name``: the first one, and their number."""
    first = int(bad.to_numpy().argmax())
    row = rows.frame.iloc[first]
    day = f"{row['date']:%Y-%m-%d}" if isinstance(row["date"], pd.Timestamp) else ""
    symbol = "" if is_blank(row["symbol"]) else visible(str(row["symbol"]).strip())[:100]
    known = ", ".join(part for part in (day, symbol) if part)
    where = rows.place(int(rows.frame.index[first])) + (f" ({known})" if known else "")
    value = row[name].date() if isinstance(row[name], pd.Timestamp) else row[name]
    shown = "" if is_blank(value) else f" {clipped(str(value))}"
    count = int(bad.sum())
    more = "" if count == 1 else f" ({count} such rows)"
    return DataError(f"{where}: {rows.called(name)}{shown} {why}{more}")
