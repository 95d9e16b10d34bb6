"""From the columns as they were written to dates, numbers and truth values."""

import pandas as pd
from pandas.api import types

from tasks.data.rows import ROLES, DataError, Rows

TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
STAMP = "datetime64[us]"


def parsed(rows: Rows, ready: bool) -> Rows:
    """Give every column its type.

    Args:
        rows: Columns in their roles.
        ready: Whether the columns without a role are features: then they must be numbers, and
            columns of text are left out with a warning.

    Raises:
        DataError: A cell is not what its column holds; names the first one and counts them.
    """
    out, warnings = rows.frame.copy(), []
    for name in ("date", "known", "label_end"):
        if name in out:
            out[name], said = dates(rows, name)
            warnings += said
    rows = rows.with_frame(out.copy())
    out["symbol"] = symbols(rows)
    if "member" in out:
        out["member"] = truth(rows, "member")
    free = [name for name in out if name not in ROLES] if ready else []
    for name in [name for name in ("price", "volume", "target", *free) if name in out]:
        if name in free and is_text(out[name]):
            del out[name]
            warnings.append(f"column {name!r} holds text and is left out of the features")
        else:
            out[name] = numbers(rows, name)
    return rows.with_frame(out, warnings)


def dates(rows: Rows, name: str) -> tuple[pd.Series, list[str]]:
    """Column ``name`` as days, with what had to be dropped to get them."""
    column = rows.frame[name]
    text = column.astype("Int64").astype("string") if types.is_integer_dtype(column) else column
    try:
        stamps = pd.to_datetime(text, format="ISO8601", errors="coerce")
    except ValueError:
        raise DataError(
            f"{rows.origin}: column {name!r} mixes time zones; write plain trading days such as "
            "2020-01-31"
        ) from None
    bad = stamps.isna() & column.notna()
    if bad.any():
        raise fault(rows, bad, name, "is not an ISO date; write 2020-01-31")
    if stamps.isna().any() and name == "date":
        raise fault(rows, stamps.isna(), name, "is missing; every row needs its trading day")
    warnings = []
    if stamps.dt.tz is not None:
        warnings.append(f"{name}: time zone {stamps.dt.tz} dropped, its local days kept")
        stamps = stamps.dt.tz_localize(None)
    days = stamps.dt.normalize()
    with_time = int((stamps != days).sum() - stamps.isna().sum())
    if with_time:
        warnings.append(f"{name}: time of day dropped in {with_time} rows")
    return days.astype(STAMP), warnings


def symbols(rows: Rows) -> pd.Series:
    """The symbols as text, without blanks around them."""
    column = rows.frame["symbol"]
    text = column.astype(str).str.strip()
    missing = column.isna() | (text == "")
    if missing.any():
        raise fault(rows, missing, "symbol", "is missing; every row needs its symbol")
    return text


def numbers(rows: Rows, name: str) -> pd.Series:
    """Column ``name`` as floating point numbers."""
    column = rows.frame[name]
    if types.is_float_dtype(column.dtype) and not types.is_extension_array_dtype(column.dtype):
        return column
    values = pd.to_numeric(column, errors="coerce")
    bad = values.isna() & column.notna()
    if bad.any():
        raise fault(rows, bad, name, "is not a number; write 1234.5 and leave missing cells empty")
    return values.astype("float64")


def is_text(column: pd.Series) -> bool:
    """Whether a column without a role holds text: no cell of it reads as a number."""
    if types.is_numeric_dtype(column) or column.isna().all():
        return False
    return bool(pd.to_numeric(column, errors="coerce").isna().all())


def truth(rows: Rows, name: str) -> pd.Series:
    """Column ``name`` as True or False."""
    column = rows.frame[name]
    values = column.astype(str).str.strip().str.lower().map(TRUTH)
    if values.isna().any():
        raise fault(rows, values.isna(), name, "is not true or false; write true, false, 1 or 0")
    return values.astype(bool)


def fault(rows: Rows, bad: pd.Series, name: str, why: str) -> DataError:
    """The error that names the first bad cell of column ``name`` and counts the others."""
    first = int(bad.to_numpy().argmax())
    row = rows.frame.iloc[first]
    label = f"{row['date']:%Y-%m-%d}, " if isinstance(row["date"], pd.Timestamp) else ""
    where = f"{rows.place(int(rows.frame.index[first]))} ({label}{row['symbol']})"
    value = row[name].date() if isinstance(row[name], pd.Timestamp) else row[name]
    count = int(bad.sum())
    more = "" if count == 1 else f" ({count} such rows)"
    return DataError(f"{where}: {name} {str(value)!r} {why}{more}")
