"""History that was restated: what differs between rows as they were kept and as they are now."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from foldproof.tasks.data.rows import names_of

KEYS = ["date", "symbol"]
OLD, NEW, SIDE = "\0old", "\0new", "\0side"
"""Ends of names that no column of a user has."""


@dataclass(frozen=True)
class Restatement:
    """Rows that differ from those that were kept, up to the last date that was.

    Attributes:
        changed: Column -> rows in which its value is another.
        rows: Rows with a changed value.
        added: Rows that were not there.
        removed: Rows that are no longer there.
        first: First date with any of them.
        last: Last one.
        witness: The first of them in words.
    """

    changed: dict[str, int]
    rows: int
    added: int
    removed: int
    first: pd.Timestamp
    last: pd.Timestamp
    witness: str

    def sentence(self) -> str:
        """All of it, as a warning says it."""
        columns = ", ".join(f"{name} {count}" for name, count in self.changed.items())
        parts = [f"{self.rows} rows changed ({columns})"] if self.rows else []
        parts += [f"{self.added} rows added"] if self.added else []
        parts += [f"{self.removed} rows removed"] if self.removed else []
        span = f"{self.first:%Y-%m-%d} to {self.last:%Y-%m-%d}"
        return f"history restated: {', '.join(parts)}, dated {span}; first {self.witness}"


def restatement(
    old: pd.DataFrame, new: pd.DataFrame, called: Callable[[str], str] = str
) -> Restatement | None:
    """What of ``old`` is otherwise in ``new``; None where it is all there, and nothing between.

    Columns that only one of the tables has are not looked at.

    Args:
        old: Checked rows, by date and symbol, as they were kept.
        new: The same, as they are now; later dates are not looked at.
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
    """Whether a column's two values differ; two missing ones do not."""
    old, new = both[name + OLD], both[name + NEW]
    return ~((old == new).fillna(False).astype(bool) | (old.isna() & new.isna()))


def witness(row: pd.Series, columns: list[str], called: Callable[[str], str]) -> str:
    """One row that differs, in words: where, and what it was and is."""
    where = f"{row['symbol']} on {row['date']:%Y-%m-%d}"
    if row[SIDE] != "both":
        return f"{where}: {'added' if row[SIDE] == 'right_only' else 'removed'}"
    table = row.to_frame().T
    name = next(name for name in columns if unlike(table, name).item())
    return f"{where}: {called(name)} {shown(row[name + OLD])} -> {shown(row[name + NEW])}"


def shown(value: object) -> str:
    """A cell as a reader would write it."""
    if pd.isna(value):  # type: ignore[call-overload]  # a cell, not a list
        return "missing"
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)
