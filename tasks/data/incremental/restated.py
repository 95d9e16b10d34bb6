"""Restated history: the differences between the rows as they were kept and as they are now."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from foldproof.tasks.data.rows import names_of

KEYS = ["date", "symbol"]
OLD, NEW, SIDE = "\0old", "\0new", "\0side"
"""Suffixes that no column of a user has."""


@dataclass(frozen=True)
class Restatement:
    """Rows that differ from the kept ones, up to the last kept date.

    Attributes:
        changed: Column -> number of rows in which its value changed.
        rows: Rows with a changed value.
        added: Rows that were not there before.
        removed: Rows that are no longer there.
        first: First date with a difference.
        last: Last date with a difference.
        witness: The first difference in words.
    """

    changed: dict[str, int]
    rows: int
    added: int
    removed: int
    first: pd.Timestamp
    last: pd.Timestamp
    witness: str

    def sentence(self) -> str:
        """The warning of the report."""
        columns = ", ".join(f"{name} {count}" for name, count in self.changed.items())
        parts = [f"{self.rows} rows changed ({columns})"] if self.rows else []
        parts += [f"{self.added} rows added"] if self.added else []
        parts += [f"{self.removed} rows removed"] if self.removed else []
        span = f"{self.first:%Y-%m-%d} to {self.last:%Y-%m-%d}"
        return f"history restated: {', '.join(parts)}, dated {span}; first {self.witness}"


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
    days = both.loc[other, "date"]
    return Restatement(
        changed,
        int((other & there).sum()),
        int((both[SIDE] == "right_only").sum()),
        int((both[SIDE] == "left_only").sum()),
        days.min(),
        days.max(),
        witness(both[other].sort_values(KEYS).iloc[0], columns, called),
    )


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
