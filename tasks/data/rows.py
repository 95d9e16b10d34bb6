"""Raw rows: the long table as its source returns it, and where it comes from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

LARGEST = 3.4028234e38
"""The largest number of a panel, whose cells have 32 bits."""
ROLES = (
    "date", "symbol", "price", "volume", "member", "known", "target", "label_end", "industry",
)  # fmt: skip
"""Column names with a meaning; all other columns belong to the user."""


def names_of(frame: pd.DataFrame) -> list[str]:
    """The names of the columns, in order."""
    return [str(name) for name in frame.columns]


def free_columns(frame: pd.DataFrame) -> list[str]:
    """The columns without a role: the user's, or ready-made features."""
    return [name for name in names_of(frame) if name not in ROLES]


def visible(text: str) -> str:
    r"""``text`` with an escape such as ``\u200b`` for each invisible character."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def require_printable(origin: str, names: Iterable[str]) -> None:
    """Raise DataError if the name of a feature holds an invisible or control character."""
    bad = next((name for name in names if not name.isprintable()), None)
    if bad is not None:
        raise DataError(
            f"{origin}: the name of column '{visible(bad)}' holds an invisible character; rename "
            "the column"
        )


def first_line(error: BaseException) -> str:
    """The first line of an error's message, without a message its type."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class DataError(ValueError):
    """The data cannot be used as it is; the message says what is wrong, where, and what to do."""


@dataclass(frozen=True, eq=False)
class Rows:
    """A long table, one row per date and symbol, with its origin.

    Attributes:
        frame: Columns named by ROLES, and the user's. Until it is sorted, the index counts the
            rows of the origin from 0.
        origin: Its name in errors: a path, or a few words.
        unit: Name of a row in the origin: line for a CSV file, else row.
        first: Number of the first data row there: 2 in a CSV file, below its header, else 1.
        about: Facts for the report; ``warnings`` holds one sentence per cause, with a count.
        written: Role -> name of its column in the origin.
        in_order: Whether the order of the rows means something; in a query's result it does not.
        line_of: Index of a row -> its line in the file; None to count from ``first``.
    """

    frame: pd.DataFrame
    origin: str
    unit: str = "row"
    first: int = 1
    about: dict[str, Any] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    in_order: bool = True
    line_of: Callable[[int], int] | None = None

    def called(self, name: str) -> str:
        """The column of a role under its name in the origin; any other name unchanged."""
        return self.written.get(name, name)

    def place(self, index: int) -> str:
        """Where the user finds the row with this index: ``line 7 of prices.csv``."""
        number = self.line_of(index) if self.line_of else index + self.first
        return f"{self.unit} {number} of {self.origin}"

    def with_frame(self, frame: pd.DataFrame, warnings: Iterable[str] = ()) -> "Rows":
        """These rows with another table and further warnings."""
        known = [*self.about.get("warnings", []), *warnings]
        return replace(self, frame=frame, about=self.about | {"warnings": known})
