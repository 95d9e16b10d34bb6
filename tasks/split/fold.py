"""A fold: three date ranges in time order, train | validation | test."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

BORDERS = (("train", "validation"), ("validation", "test"), ("train", "test"))
"""Pairs of blocks of a fold, the earlier one first."""


@dataclass(frozen=True)
class Fold:
    """Half-open ranges of rows of one calendar, purged and embargoed.

    Attributes:
        number: Position in the plan, from 0, oldest first.
        train: Rows to fit on.
        validation: Rows for early stopping; may be empty.
        test: Rows to forecast; they are scored once, after everything is frozen.
        calendar: (D,) datetime64[D], the date of each row.
    """

    number: int
    train: range
    validation: range
    test: range
    calendar: np.ndarray = field(repr=False, compare=False)

    def borders(self) -> Iterator[tuple[str, range, range, bool]]:
        """Name, earlier rows, later rows and whether an embargo lies between, at each border."""
        for first, second in BORDERS:
            yield f"{first}|{second}", getattr(self, first), getattr(self, second), True

    @property
    def train_dates(self) -> np.ndarray:
        """(n,) datetime64[D] of the training rows."""
        return self.calendar[self.train.start : self.train.stop]

    @property
    def validation_dates(self) -> np.ndarray:
        """(n,) datetime64[D] of the validation rows."""
        return self.calendar[self.validation.start : self.validation.stop]

    @property
    def test_dates(self) -> np.ndarray:
        """(n,) datetime64[D] of the test rows."""
        return self.calendar[self.test.start : self.test.stop]
