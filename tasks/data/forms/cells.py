"""The cells of a table: which column holds dates, which numbers, and names where there are none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from foldproof.tasks.data.forms.days import ISO, AmbiguousDatesError, Days, days_of, is_text_date
from foldproof.tasks.data.forms.names import column_of, is_field


@dataclass(frozen=True)
class Dated:
    """The date column of a table.

    Attributes:
        column: Its name; None without one.
        way: How it writes dates.
        error: Why they cannot be read.
    """

    column: str | None
    way: Days = ISO
    error: Exception | None = None


def date_column(frame: pd.DataFrame) -> Dated:
    """The date column: one with a telling name, or else the first one that holds dates."""
    named = column_of("date", frame.columns)
    error = None
    for column in ([] if named is None else [named]) + [c for c in frame.columns if c != named]:
        if not isinstance(frame[column], pd.Series):  # a name that stands twice
            continue
        try:
            way = days_of(frame[column])
        except AmbiguousDatesError as ambiguous:
            error = error or ambiguous
            continue
        if way is not None and (column == named or looks_dated(frame[column])):
            return Dated(str(column), way)
    if error is None and named is not None:
        return Dated(str(named))  # some cells are not dates: reading it names the first one
    return Dated(None, error=error)


def looks_dated(column: pd.Series) -> bool:
    """Whether a column without a telling name is dates, not whole numbers such as volumes."""
    text = column.dropna().astype(str)
    return bool(text.str.contains(r"\D").all()) or bool(text.str.fullmatch(r"(19|20)\d{6}").all())


def numbers_in(frame: pd.DataFrame, options: Mapping[str, Any]) -> pd.DataFrame:
    """Columns of text with numbers in them as numbers, by the signs of the file."""
    found = {}
    codes = {*options.get("na_values", ())}
    for k in range(frame.shape[1]):
        text = frame.iloc[:, k].where(~frame.iloc[:, k].isin(codes))
        text = text.astype("string").str.strip()
        if "thousands" in options:
            text = text.str.replace(options["thousands"], "", regex=False)
        if options.get("decimal") == ",":
            text = text.str.replace(",", ".", regex=False)
        numbers = pd.to_numeric(text, errors="coerce")
        usable = numbers.notna().sum() >= 0.5 * max(1, text.notna().sum())
        found[k] = numbers.astype(float) if usable else frame.iloc[:, k]
    return pd.DataFrame(found).set_axis(frame.columns, axis=1)


def guessed_names(cells: Sequence[Sequence[str]]) -> list[str]:
    """Names for the columns of a table without a header: date, symbol, open to volume.

    Four columns of numbers whose second is the largest and third the smallest are open, high, low,
    close; else the first is the close.
    """
    frame = pd.DataFrame(list(cells)).replace("", None)
    unnamed = [f"column_{k}" for k in range(frame.shape[1])]
    frame.columns = unnamed
    numeric = frame.apply(pd.to_numeric, errors="coerce")
    names = {one: one for one in unnamed}
    dated = date_column(frame).column or next((c for c in unnamed if days_of(frame[c])), None)
    if dated is not None:
        names[dated] = "date"
    text = [one for one in unnamed if numeric[one].isna().all() and one != dated]
    if text:
        names[text[0]] = "symbol"
    rest = [one for one in unnamed if one != dated and numeric[one].notna().all()]
    if len(rest) >= 4 and is_bar(numeric[rest[:4]]):
        names |= dict(zip(rest, ("open", "high", "low", "close", "volume"), strict=False))
    elif rest:
        names[rest[0]] = "close"
    return [*names.values()]


def is_bar(prices: pd.DataFrame) -> bool:
    """Whether four columns are open, high, low and close."""
    _, high, low, _ = (prices.iloc[:, k] for k in range(4))
    return bool((prices.max(axis=1) == high).all() and (prices.min(axis=1) == low).all())


def is_second_header(cells: Sequence[Sequence[str]]) -> bool:
    """Whether the second line is a header too: no numbers where the last line has them."""
    first, second, last = cells[0], cells[1], cells[-1]
    numeric = [k for k, cell in enumerate(last) if k and is_numeric(cell)]
    return (
        len(numeric) >= 1
        and all(second[k].strip() and not is_numeric(second[k]) for k in numeric)
        and any(is_field(one[k]) for one in (first, second) for k in numeric)
        and not any(is_text_date(cell) for cell in second[:1])
    )


def is_numeric(cell: str) -> bool:
    """Whether a cell is a plain number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
