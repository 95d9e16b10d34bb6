"""Raw rows: the long table as its source gave it, and what is known of where it came from."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

ROLES = ("date", "symbol", "price", "volume", "member", "known", "target", "label_end")
"""Column names with a meaning; every other column is the user's own."""


def names_of(frame: pd.DataFrame) -> list[str]:
    """The names of the columns, in order."""
    return [str(name) for name in frame.columns]


def free_columns(frame: pd.DataFrame) -> list[str]:
    """The columns without a role: the user's own, or ready-made features."""
    return [name for name in names_of(frame) if name not in ROLES]


class DataError(ValueError):
    """The data cannot be used as it is; the message says what is wrong, where, and what to do."""


@dataclass(frozen=True, eq=False)
class Rows:
    """A long table, one row a date and symbol, with its origin.

    Attributes:
        frame: Columns named by ROLES and the user's own. Until it is sorted, the index counts the
            rows of the origin from 0.
        origin: What errors call it: a path, or a few words.
        unit: What a row is called where it came from: line of a CSV file, else row.
        first: Number of the first data row there: 2 in a CSV file, below its header, else 1.
        about: What a report says of it; ``warnings`` gathers one counted sentence a cause.
        written: Role -> name of its column in the origin.
        in_order: Whether the rows stand in an order that their owner chose; those of a query do
            not.
    """

    frame: pd.DataFrame
    origin: str
    unit: str = "row"
    first: int = 1
    about: dict[str, Any] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    in_order: bool = True

    def called(self, name: str) -> str:
        """The name of a role's column as its owner wrote it; any other name as it is."""
        return self.written.get(name, name)

    def place(self, index: int) -> str:
        """Name the row with this index as its owner would find it: ``line 7 of prices.csv``."""
        return f"{self.unit} {index + self.first} of {self.origin}"

    def with_frame(self, frame: pd.DataFrame, warnings: Iterable[str] = ()) -> "Rows":
        """The same origin with another table and further warnings."""
        known = [*self.about.get("warnings", []), *warnings]
        return replace(self, frame=frame, about=self.about | {"warnings": known})
