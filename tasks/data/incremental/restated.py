"""Restated history: the differences between the rows as they were kept and as they are now."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from foldproof.tasks.data.rows import names_of

KEYS = ["date", "symbol"]
OLD, NEW, SIDE = "\0old", "\0new", "\0side"
"""Suffixes that no column of a user has."""


class Restatement(NamedTuple):
    """Differences between the kept rows and the current ones.

    Attributes:
        first: First date with a difference.
        sentence: The warning of the report: counts, dates, and the first difference.
    """

    first: pd.Timestamp
    sentence: str


def restatement(
    old: pd.DataFrame, new: pd.DataFrame, called: Callable[[str], str] = str
) -> Restatement | None:
    """The differences between ``old`` and ``new`` up to the last old date; None if there are none.

    Columns that only one of the tables has are ignored.

    Args:
        old: Checked rows, by date and symbol, as they were kept.
        new: Checked rows as they are now.
        called: Role -> the name of its column in the source.
    """
    new = new[new["date"] <= old["date"].iloc[-1]]
    if new.equals(old):
        return None
    columns = [name for name in names_of(old) if name in new and name not in KEYS]
    both = old[KEYS + columns].merge(
        new[KEYS + columns], on=KEYS, how="outer", suffixes=(OLD, NEW), indicator=SIDE
    )
    there = both[SIDE] == "both"
    differs = {name: there & unlike(both, name) for name in columns}
    changed = {called(name): int(rows.sum()) for name, rows in differs.items() if rows.any()}
    other = pd.concat([~there, *differs.values()], axis=1).any(axis=1)
    if not other.any():
        return None
    counts = {"changed": other & there, "added": both[SIDE] == "right_only"}
    counts["removed"] = both[SIDE] == "left_only"
    columns_changed = ", ".join(f"{name} {count}" for name, count in changed.items())
    parts = [
        f"{rows.sum()} rows {what}" + (f" ({columns_changed})" if what == "changed" else "")
        for what, rows in counts.items()
        if rows.any()
    ]
    days = both.loc[other, "date"]
    span = f"{days.min():%Y-%m-%d} to {days.max():%Y-%m-%d}"
    first = witness(both[other].sort_values(KEYS).iloc[0], columns, called)
    sentence = f"history restated: {', '.join(parts)}, dated {span}; first {first}"
    return Restatement(days.min(), sentence)


def unlike(both: pd.DataFrame, name: str) -> pd.Series:
    """Whether the old and new values of a column differ; two missing values are equal."""
    old, new = both[name + OLD], both[name + NEW]
    return ~((old == new).fillna(False).astype(bool) | (old.isna() & new.isna()))


def witness(row: pd.Series, columns: list[str], called: Callable[[str], str]) -> str:
    """One difference in words: the row, the old value and the new one."""
    where = f"{row['symbol']} on {row['date']:%Y-%m-%d}"
    if row[SIDE] != "both":
        return f"{where}: {'added' if row[SIDE] == 'right_only' else 'removed'}"
    table = row.to_frame().T
    name = next(name for name in columns if unlike(table, name).item())
    return f"{where}: {called(name)} {shown(row[name + OLD])} -> {shown(row[name + NEW])}"


def shown(value: object) -> str:
    """A cell as text."""
    if pd.isna(value):  # type: ignore[call-overload]  # a cell, not a list
        return "missing"
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)
