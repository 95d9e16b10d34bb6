"""Block sizes: trading days (rows) or calendar periods such as "5Y", "18M", "26W", "90D"."""

import re
from dataclasses import dataclass

import numpy as np

DAY = np.timedelta64(1, "D")
UNITS = {"Y": (12, 0), "M": (1, 0), "W": (0, 7), "D": (0, 1)}
"""Months and days of each unit."""


@dataclass(frozen=True)
class Size:
    """A number of rows, or a calendar period: whole months, then whole days."""

    rows: int = 0
    months: int = 0
    days: int = 0

    @property
    def calendar(self) -> bool:
        """Whether it is a calendar period."""
        return bool(self.months or self.days)

    def times(self, count: int) -> "Size":
        """``count`` such periods in sequence; a negative count goes back."""
        return Size(self.rows * count, self.months * count, self.days * count)

    def plus(self, other: "Size") -> "Size":
        """Both, one after the other."""
        return Size(self.rows + other.rows, self.months + other.months, self.days + other.days)

    def after(self, date: np.datetime64) -> np.datetime64:
        """The date this period after ``date``; a day past the end of the month becomes its last.

        Multiply several periods before adding them: one by one they would drift
        (31 Jan, 28 Feb, 28 Mar).
        """
        month = date.astype("datetime64[M]")
        landed = month + np.timedelta64(self.months, "M")
        day = landed.astype("datetime64[D]") + (date - month.astype("datetime64[D]"))
        last = (landed + np.timedelta64(1, "M")).astype("datetime64[D]") - DAY
        return min(day, last) + np.timedelta64(self.days, "D")


def parse_size(name: str, value: int | str, least: int = 1) -> Size:
    """Parse a size of the configuration.

    Args:
        name: Name of the setting, for the message.
        value: Trading days as an int, or a calendar period as a number and D, W, M or Y.
        least: The smallest int allowed.

    Raises:
        ValueError: Not a size, or too small.
    """
    match = re.fullmatch(r"([1-9][0-9]*)([DWMY])", value) if isinstance(value, str) else None
    if match is not None:
        months, days = UNITS[match[2]]
        return Size(months=months * int(match[1]), days=days * int(match[1]))
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(
            f"{name} must be a whole number of trading days such as 252, or a calendar period of "
            f'days, weeks, months or years such as "90D", "26W", "18M", "5Y"; it is {value!r}'
        )
    if value < least:
        raise ValueError(f"{name} must be at least {least} trading days; it is {value}")
    return Size(rows=value)
