"""The shapes of a table, and the calls that make it long: one row per date and symbol."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from foldproof.tasks.data.forms.cells import Dated, date_column
from foldproof.tasks.data.forms.chain import Chain
from foldproof.tasks.data.forms.days import ISO, days_of, is_text_date
from foldproof.tasks.data.forms.names import column_of, is_field, plain
from foldproof.tasks.data.forms.text import UnreadableError

LONG, ONE, WIDE, LEVELS, ACROSS = "long", "one symbol", "wide", "two header lines", "dates across"
BINARY: Mapping[str, Callable[..., pd.DataFrame]] = {
    ".parquet": pd.read_parquet, ".pq": pd.read_parquet, ".feather": pd.read_feather,
    ".arrow": pd.read_feather, ".ipc": pd.read_feather,
}  # fmt: skip
"""Suffix of a binary file -> its reader."""
FACTORS: Mapping[str, tuple[str, str]] = {
    "prc": ("cfacpr", "/"), "prccd": ("ajexdi", "/"), "close": ("adjfactor", "*"),
}  # fmt: skip
"""Raw close -> the name of its factor, and how the adjusted close is made (CRSP,
Compustat, Tushare)."""
MONEY = r"[$€£¥,\s]"
"""Currency signs found in text prices."""


@dataclass(frozen=True, eq=False)
class Form:
    """What a file is.

    Attributes:
        name: The file or folder, as the user wrote it.
        shape: LONG, ONE (one symbol without a column for it), WIDE (a column per symbol), LEVELS
            (two header lines: fields and symbols) or ACROSS (a column per date).
        roles: date, symbol, price and volume -> column of the long table; those it has.
        said: What was recognized, one clause each.
        chain: The calls that make the long table; None if the file can be read as it is.
    """

    name: str
    shape: str
    roles: Mapping[str, str]
    said: tuple[str, ...]
    chain: Chain | None

    @property
    def long_name(self) -> str:
        """The name of the converted file, beside the original one."""
        path = Path(self.name)
        stem = path.name.partition(".")[0]
        suffix = ".parquet" if path.suffix.lower() in BINARY else ".csv"
        return str(path.with_name(f"{stem}_long{suffix}"))

    @property
    def line(self) -> str:
        """The line of Python that writes the converted file."""
        if self.chain is None:
            return ""
        write = "to_parquet" if self.long_name.endswith(".parquet") else "to_csv"
        return f"{self.chain.code}.{write}({self.long_name!r}, index=False)"

    @property
    def mending(self) -> str:
        """Why the file cannot be read as it is, and the line that mends it; empty if it can."""
        if self.chain is None:
            return ""
        return (
            f"{self.name}: {'; '.join(self.said)}: run foldproof init {self.name}, or in Python "
            f"(import pandas as pd) {self.line}"
        )


def shaped(
    name: str,
    frame: pd.DataFrame,
    read: Chain,
    said: tuple[str, ...],
    faulty: bool,
    dated: "Dated | None" = None,
    alone: bool = False,
) -> Form:
    """The form of a table whose cells can be read.

    Args:
        name: The file.
        frame: Its table.
        read: The calls that read it.
        said: What was recognized so far.
        faulty: Whether these calls are needed: the file cannot be read as it is.
        dated: Its date column; found here by default.
        alone: Whether it may hold one symbol without a column for it.
    """
    if frame.columns.nlevels == 2:
        first, second = (frame.columns.get_level_values(k).tolist() for k in (0, 1))
        return stacked(name, read, first, second, said)
    if nameless_dates(frame):
        frame = frame.rename_axis("date").reset_index()
        read = read.call("rename_axis", "date").call("reset_index")
        said, faulty = (*said, "its dates are in an unnamed index"), True
    elif any(one is not None for one in frame.index.names):
        frame, read = frame.reset_index(), read.call("reset_index")
    frame = frame.rename(columns=str)
    dated = dated or date_column(frame)
    names = [one for one in frame.columns if one != dated.column]
    symbol = column_of("symbol", names)
    if dated.error and dated.column is None:
        raise UnreadableError(f"{dated.error}; write ISO dates such as 2020-01-31")
    if dated.column is None:
        return across(name, frame, read, said, symbol)
    date, way = dated.column, dated.way
    if not way.iso:
        code = way.code.replace("(c", f"(t[{date!r}]")
        read = read.assign(date, code, lambda t: way.read(t[date]))
        said, faulty = (*said, way.words), True
    if symbol is None:
        return without_symbol(name, frame, read, said, faulty, date, alone)
    return long_form(name, frame, read, said, faulty, {"date": date, "symbol": symbol})


def nameless_dates(frame: pd.DataFrame) -> bool:
    """Whether the dates of a table are its index, which has no name."""
    if frame.index.nlevels > 1 or frame.index.name is not None:
        return False
    if isinstance(frame.index, pd.DatetimeIndex):
        return True
    return frame.index.dtype.kind in "OT" and date_column(frame.index.to_frame()).column is not None


def without_symbol(
    name: str, frame: pd.DataFrame, read: Chain, said: tuple[str, ...], faulty: bool, date: str,
    alone: bool,
) -> Form:  # fmt: skip
    """A table with dates and without a column of symbols: wide, or of one symbol."""
    others = [one for one in frame.columns if one != date and not one.startswith("Unnamed")]
    values = [one for one in others if frame[one].dtype.kind in "fiu"]
    price = column_of("price", others)
    if price is not None and (len(values) < 2 or sum(map(is_field, others)) > 1):
        if not alone:
            raise UnreadableError(
                "it holds one symbol, and no column names it; put a file for each symbol in one "
                "folder, named as the symbol, and run foldproof init FOLDER"
            )
        found = long_form(name, frame, read, said, faulty, {"date": date})
        return replace(found, shape=ONE)
    if len(values) < 2:
        if alone and len(values) == 1:
            roles = {"date": date, "price": values[0]}
            return Form(name, ONE, roles, said, read if faulty else None)
        raise UnreadableError(
            "it holds one series; a comparison needs several symbols, a row per date and symbol"
        )
    if (frame[values] < 0).any(axis=None):
        raise UnreadableError(
            f"it is wide, with negative numbers: columns such as {values[0]!r} hold returns or "
            "yields, not prices; make prices of them, such as (1 + returns).cumprod()"
        )
    dropped = [one for one in frame.columns if one != date and one not in values]
    if dropped:
        read = read.call("drop", columns=dropped)
    chain = read.call("melt", id_vars=date, var_name="symbol", value_name="close").call("dropna")
    shown = f"it is wide, with a column for each of {len(values)} symbols ({', '.join(values[:3])})"
    roles = {"date": date, "symbol": "symbol", "price": "close"}
    return Form(name, WIDE, roles, (*said, shown), chain)


def across(
    name: str, frame: pd.DataFrame, read: Chain, said: tuple[str, ...], symbol: str | None
) -> Form:
    """A table with a column for each date; without one, a table without dates."""
    days = [one for one in frame.columns if is_text_date(one)]
    if len(days) < 2 or symbol is None:
        return Form(name, LONG, {} if symbol is None else {"symbol": symbol}, said, None)
    way = days_of(pd.Series(days)) or ISO
    dropped = [one for one in frame.columns if one not in (*days, symbol)]
    if dropped:
        read = read.call("drop", columns=dropped)
    chain = read.call("melt", id_vars=symbol, var_name="date", value_name="close").call("dropna")
    if not way.iso:
        code = way.code.replace("(c", "(t['date']")
        chain = chain.assign("date", code, lambda t: way.read(t["date"]))
    shown = f"it has a column for each date ({days[0]} and {len(days) - 1} more)"
    roles = {"date": "date", "symbol": symbol, "price": "close"}
    return Form(name, ACROSS, roles, (*said, shown), chain)


def long_form(
    name: str, frame: pd.DataFrame, read: Chain, said: tuple[str, ...], faulty: bool,
    roles: dict[str, str],
) -> Form:  # fmt: skip
    """A long table: its price and its volume."""
    names = [one for one in frame.columns if one not in roles.values()]
    field, value = field_column(frame, names), column_of("price", ["value", *names])
    if field is not None and value == "value" and "value" in names:
        kinds = [str(one) for one in frame[field].dropna().unique()]
        index = [*roles.values()]
        read = read.call("pivot", index=index, columns=field, values="value").call("reset_index")
        said = (*said, f"it has a row for each field ({', '.join(kinds[:3])})")
        return Form(name, LONG, with_values(roles, kinds), said, read)
    price, volume = column_of("price", names), column_of("volume", names)
    found = dict(roles)
    if price is not None and not is_numeric(frame[price]):
        text = frame[price].dropna().astype(str).str.replace(MONEY, "", regex=True)
        if pd.to_numeric(text, errors="coerce").notna().mean() > 0.5:
            read = read.assign(price, money_code(price), partial(without_money, price))
            said, faulty = (*said, f"{price} has a sign of a currency"), True
    if price is not None:
        factor = factor_of(price, names)
        if factor:
            code = f"t[{price!r}].abs() {factor[1]} t[{factor[0]!r}]"
            read = read.assign("adjusted_close", code, partial(adjusted, price, *factor))
            made = f"adjusted_close = {price} {factor[1]} {factor[0]}"
            said = (*said, f"{price} is not adjusted and {factor[0]} is its factor: {made}")
            price, faulty = "adjusted_close", True
        found["price"] = price
    if volume is not None and is_numeric(frame[volume]) and frame[volume].gt(0).any():
        found["volume"] = volume
    return Form(name, LONG, found, said, read if faulty else None)


def is_numeric(column: pd.Series) -> bool:
    """Whether most cells of a column are numbers, of any type."""
    if column.dtype.kind in "Mm":
        return False
    return bool(pd.to_numeric(column.dropna(), errors="coerce").notna().mean() > 0.5)


def field_column(frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The column whose cells are names of fields, such as PX_LAST and VOLUME; None without one."""
    for one in names:
        if frame[one].dtype.kind not in "fiubM":
            kinds = frame[one].dropna().astype(str).unique()
            if 1 < len(kinds) < 30 and any(map(is_field, kinds)):
                return one
    return None


def with_values(roles: Mapping[str, str], fields: Sequence[str]) -> dict[str, str]:
    """Roles with the price and volume among ``fields``."""
    more = {role: column_of(role, fields) for role in ("price", "volume")}
    return dict(roles) | {role: one for role, one in more.items() if one is not None}


def factor_of(price: str, names: Sequence[str]) -> tuple[str, str] | None:
    """The column of adjustment factors of a raw close, and how to apply it; None without one."""
    key, sign = FACTORS.get(plain(price), ("", ""))
    column = next((one for one in names if plain(one) == key), None)
    return (column, sign) if key and column else None


def money_code(price: str) -> str:
    """Code that turns prices with signs into numbers."""
    return f"pd.to_numeric(t[{price!r}].astype(str).str.replace({MONEY!r}, '', regex=True))"


def without_money(price: str, table: pd.DataFrame) -> pd.Series:
    """Prices with signs as numbers."""
    return pd.to_numeric(table[price].astype(str).str.replace(MONEY, "", regex=True))


def adjusted(price: str, factor: str, sign: str, table: pd.DataFrame) -> pd.Series:
    """Adjusted closes; CRSP writes the mean of bid and ask as a negative price."""
    raw = table[price].abs()
    return raw / table[factor] if sign == "/" else raw * table[factor]


def stacked(
    name: str, read: Chain, first: Sequence[Any], second: Sequence[Any], said: tuple[str, ...]
) -> Form:
    """The form of a table with fields and symbols above each other."""
    fields = 0 if sum(map(is_field, first)) >= sum(map(is_field, second)) else 1
    symbols = [*dict.fromkeys((second, first)[fields])]
    names = [*dict.fromkeys((first, second)[fields])]
    chain = (
        read.call("stack", level=1 - fields)
        .call("rename_axis", index=["date", "symbol"], columns=None)
        .call("reset_index")
    )
    price, volume = column_of("price", names), column_of("volume", names)
    roles = {"date": "date", "symbol": "symbol", "price": price, "volume": volume}
    above = ", ".join(map(str, names[:3]))
    shown = (
        f"its header has two lines, fields ({above}) and symbols "
        f"({', '.join(map(str, symbols[:3]))}), so it is not a long table"
    )
    kept = {role: str(one) for role, one in roles.items() if one is not None}
    return Form(name, LEVELS, kept, (*said, shown), chain)
