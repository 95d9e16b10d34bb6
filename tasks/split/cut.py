"""Arithmetic of a plan: from row numbers to row numbers."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np

from foldproof.tasks.split.size import DAY, Size


class PlanError(ValueError):
    """The plan cannot be cut from this calendar; the message says what to change."""


def known_rows(dates: np.ndarray, label_end: np.ndarray) -> np.ndarray:
    """The row by which the labels of this row *and of all earlier rows* are known.

    The running maximum keeps contiguous blocks free of overlap even where label ends are not
    monotone: a row is purged together with the latest label that begins before it.

    Args:
        dates: (D,) datetime64[D], strictly increasing.
        label_end: (D,) datetime64[D], NaT where it lies beyond the data.

    Returns:
        (D,) int; D if the label end is NaT.

    Raises:
        PlanError: A label ends before its own date, or is NaT although later ones are known.
    """
    if len(label_end) != len(dates):
        raise PlanError(
            f"label_end needs one date per row: {len(dates)} dates, {len(label_end)} label ends"
        )
    early, unknown = label_end < dates, np.isnat(label_end)
    if early.any():
        row = int(np.argmax(early))
        raise PlanError(
            f"the label of {dates[row]} ends before that date, on {label_end[row]}: "
            "label_end is the date on which the label becomes known"
        )
    if (unknown[:-1] & ~unknown[1:]).any():
        raise PlanError(
            f"label_end is NaT on {dates[np.argmax(unknown)]} although later labels are known: "
            "give its date, or drop the row (NaT means that the label ends after the data)"
        )
    rows = np.searchsorted(dates, label_end, side="right") - 1
    return np.maximum.accumulate(np.where(unknown, len(dates), rows))


@dataclass(frozen=True)
class Cutter:
    """The calendar to cut and the sizes of the blocks.

    Attributes:
        dates: (D,) datetime64[D], strictly increasing.
        known: (D,) int, non-decreasing, see :func:`known_rows`.
        train: Size of the training block after purging.
        validation: Size of the validation block after purging; 0 rows for none.
        test: Size of the test block.
        step: Distance from one test block to the next, in the units of ``test``.
        embargo: Trading days required between the last known label and the next block.
        expanding: The training block begins at row 0.
        anchor: ``start``: the first test block begins as early as possible; ``end``: the last one
            ends with the data.
    """

    dates: np.ndarray
    known: np.ndarray
    train: Size
    validation: Size
    test: Size
    step: Size
    embargo: int
    expanding: bool
    anchor: Literal["start", "end"]

    def purged(self, border: int) -> int:
        """Number of leading rows whose labels are known over ``embargo`` rows before ``border``."""
        return int(np.searchsorted(self.known, border - self.embargo))

    def back(self, stop: int, size: Size) -> int:
        """First row of the block of ``size`` that ends before ``stop``; -1 if it does not fit."""
        if not size.calendar or stop <= 0:
            return max(stop - size.rows, -1) if stop > 0 else -1
        begin = size.times(-1).after(self.dates[stop - 1] + DAY)
        return -1 if begin < self.dates[0] else int(np.searchsorted(self.dates, begin))

    def forward(self, start: int, size: Size) -> int:
        """Row after the block of ``size`` from ``start``; D + 1 if it ends after the data."""
        if not size.calendar:
            return start + size.rows
        stop = size.after(self.dates[start])
        past = stop > self.dates[-1] + DAY
        return len(self.dates) + 1 if past else int(np.searchsorted(self.dates, stop))

    def before(self, start: int) -> tuple[range, range] | None:
        """Training and validation rows for a test block from ``start``; None if none fit."""
        validation = range(start, start)
        if self.validation != Size():
            stop = self.purged(start)
            validation = range(self.back(stop, self.validation), stop)
        stop = self.purged(validation.start)
        first = self.back(stop, self.train)
        if first < 0:
            return None
        return range(0 if self.expanding else first, stop), validation

    def blocks(self) -> Iterator[tuple[range, range, range]]:
        """Train, validation and test rows of each fold.

        Oldest first if ``anchor`` is start, newest first if it is end.

        Raises:
            PlanError: A test block of a calendar period holds no trading day.
        """
        tests = self.tests_from_end() if self.anchor == "end" else self.tests_from_start()
        for test in tests:
            before = self.before(test.start)
            if before is None:
                return
            if not test:
                raise PlanError(
                    f"the test block before {self.dates[test.start]} holds no trading day: "
                    "take a longer test period"
                )
            yield *before, test

    def tests_from_end(self) -> Iterator[range]:
        """Test rows, newest block first; its last row is the last of the data."""
        rows = len(self.dates)
        for k in count():
            stop = self.step.times(k)
            test = range(self.back(rows, stop.plus(self.test)), self.back(rows, stop))
            if test.start < 0:
                return
            yield test

    def tests_from_start(self) -> Iterator[range]:
        """Test rows, oldest first, from the earliest row with a complete training block."""
        rows = len(self.dates)
        first = bisect_left(range(rows), True, key=lambda row: self.before(row) is not None)
        for k in count() if first < rows else ():
            start = self.step.times(k)
            test = range(self.forward(first, start), self.forward(first, start.plus(self.test)))
            if test.stop > rows:
                return
            yield test
