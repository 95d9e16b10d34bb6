"""The ways in which vendors write dates, and which of them a column uses."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

EXAMPLE = pd.Timestamp("2020-12-31")
PATTERNS = (
    "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%m/%d/%y",
    "%d/%m/%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d%b%Y",
    "%Y年%m月%d日", "%a, %d %b %Y", "%a %b %d %Y", "%Y%m%d %H:%M:%S",
    "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p",
)  # fmt: skip
"""Formats of dates as text, for strptime."""
EPOCHS: Mapping[int, tuple[Literal["s", "ms", "us", "ns"], str]] = {
    10: ("s", "seconds"), 13: ("ms", "milliseconds"), 16: ("us", "microseconds"),
    19: ("ns", "nanoseconds"),
}  # fmt: skip
"""Digits of a time since 1970 -> its unit, and the word for it."""
SERIAL = (20_000, 60_000)
"""Excel's days since 1899-12-30 from 1954 to 2064."""
SAMPLE = 5_000


class AmbiguousDatesError(ValueError):
    """Dates that two formats read differently, as 03/04/2020."""


@dataclass(frozen=True)
class Days:
    """A way to write dates.

    Attributes:
        words: For messages, such as ``dates are written 31.12.2020``.
        iso: Whether a panel reads it as it is.
        pattern: Format for strptime; empty for numbers.
        code: Column ``c`` as days, in code.
        read: The same as a function.
    """

    words: str
    iso: bool
    pattern: str
    code: str
    read: Callable[[pd.Series], pd.Series]


ISO = Days("dates are ISO", True, "", "", lambda c: c)


def days_of(column: pd.Series) -> Days | None:
    """How a column of text or numbers writes dates; None if it does not hold dates.

    Raises:
        AmbiguousDatesError: Days and months cannot be told apart.
    """
    given = column.dropna()
    if pd.api.types.is_datetime64_any_dtype(given):
        return ISO if len(given) else None
    text = given.astype(str).str.strip()
    text = text[text != ""].drop_duplicates()
    text = text.iloc[:: max(1, len(text) // SAMPLE)]
    if text.empty:
        return None
    if text.str.fullmatch(r"\d+(\.0+)?").all():
        return numbered(text.str.replace(r"\.0+$", "", regex=True))
    if text.str.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}([ T].*)?|\d{4}/\d{1,2}/\d{1,2}").all():
        return iso_like(text)
    found = [pattern for pattern in PATTERNS if parses(text, pattern)]
    if not found:
        return None
    if len(found) > 1 and len({tuple(patterned(pattern).read(text)) for pattern in found}) > 1:
        raise AmbiguousDatesError(
            f"{text.iloc[0]!r} may have the day or the month first, and no date decides it"
        )
    return patterned(found[0])


def iso_like(text: pd.Series) -> Days | None:
    """ISO dates, perhaps with more behind them than a panel reads, as in 2020-12-31 00:00 UTC."""
    try:
        if parses(text, "ISO8601"):
            return ISO
    except ValueError:  # several UTC offsets, which a panel reads or names by line
        return ISO
    if not parses(text.str[:10], "ISO8601"):
        return None
    return Days(
        f"dates have text behind the time ({text.iloc[0]})", False, "",
        "pd.to_datetime(c.str[:10])", lambda c: pd.to_datetime(c.str[:10]),
    )  # fmt: skip


def parses(text: pd.Series, pattern: str) -> bool:
    """Whether every text fits a pattern."""
    return bool(pd.to_datetime(text, format=pattern, errors="coerce").notna().all())


def patterned(pattern: str) -> Days:
    """The way of a format for strptime."""
    return Days(
        f"dates are written like {EXAMPLE.strftime(pattern)}",
        False,
        pattern,
        f"pd.to_datetime(c, format={pattern!r}).dt.normalize()",
        lambda c: pd.to_datetime(c.astype(str).str.strip(), format=pattern).dt.normalize(),
    )


def numbered(text: pd.Series) -> Days | None:
    """Dates as whole numbers: 20201231, seconds since 1970, or a spreadsheet's days."""
    lengths = set(text.str.len())
    values = text.astype(np.int64)
    if lengths == {8} and parses(text, "%Y%m%d"):
        return ISO
    if lengths == {6} and parses(text, "%Y%m"):
        return Days(
            "dates are months written 202012", False, "",
            "pd.to_datetime(c.astype(str), format='%Y%m')",
            lambda c: pd.to_datetime(c.astype(int).astype(str), format="%Y%m"),
        )  # fmt: skip
    digits = next((n for n in lengths if n in EPOCHS and lengths <= {n, n - 1}), None)
    if digits:
        unit, word = EPOCHS[digits]
        return Days(
            f"dates are {word} since 1970", False, "",
            f"pd.to_datetime(c.astype('int64'), unit={unit!r}).dt.normalize()",
            lambda c: pd.to_datetime(c.astype(np.int64), unit=unit).dt.normalize(),
        )  # fmt: skip
    if values.between(*SERIAL).all():
        return Days(
            "dates are a spreadsheet's day numbers", False, "",
            "pd.to_datetime(c.astype(float), unit='D', origin='1899-12-30')",
            lambda c: pd.to_datetime(c.astype(float), unit="D", origin="1899-12-30"),
        )  # fmt: skip
    return None


def is_text_date(text: str) -> bool:
    """Whether a header cell is a date, as in a table with a column per day."""
    if not re.search(r"\d", text) or re.fullmatch(r"\d{1,5}", text):
        return False
    try:
        return days_of(pd.Series([text])) is not None
    except AmbiguousDatesError:
        return True
