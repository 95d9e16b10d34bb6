"""Date rows of a panel: one range of them, or several."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np


@dataclass(frozen=True)
class Spans(Sequence[int]):
    """Date rows in several ranges, ascending: what a plan leaves of a panel around its test blocks.

    ``start`` and ``stop`` are those of a range around all of them, and rows in between may be
    missing: take rows of an array with :func:`at`, not with a slice.

    Attributes:
        parts: Ranges in time order that do not overlap; they may touch.
    """

    parts: tuple[range, ...]

    @classmethod
    def of(cls, rows: Iterable[int]) -> "Spans":
        """The runs of consecutive numbers in ascending ``rows``."""
        numbers = np.fromiter(rows, np.int64)
        runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
        return cls(tuple(range(int(one[0]), int(one[-1]) + 1) for one in runs if len(one)))

    @property
    def start(self) -> int:
        """The first row; 0 without rows."""
        return self.parts[0].start if self.parts else 0

    @property
    def stop(self) -> int:
        """The row after the last; 0 without rows."""
        return self.parts[-1].stop if self.parts else 0

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __iter__(self) -> Iterator[int]:
        return (row for part in self.parts for row in part)

    def __contains__(self, row: object) -> bool:
        return any(row in part for part in self.parts)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        return [*self][place]


Rows = range | Spans
"""Date rows, ascending."""


def parts_of(rows: Rows) -> tuple[range, ...]:
    """The ranges of date rows; a single range is its only part."""
    return (rows,) if isinstance(rows, range) else rows.parts


def at(rows: Rows) -> slice | list[int]:
    """The index that takes date rows from the first axis of an array or tensor."""
    return slice(rows.start, rows.stop) if isinstance(rows, range) else [*rows]


def hull(*blocks: Rows) -> range:
    """The range from the first to the last row of some blocks."""
    return range(min(one.start for one in blocks), max(one.stop for one in blocks))
