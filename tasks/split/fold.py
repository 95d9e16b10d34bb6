"""A fold: the rows to train on, to validate on and to test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from foldproof.models.date_rows import Rows, Spans, at

BORDERS = (("train", "validation"), ("validation", "test"), ("train", "test"))
"""Pairs of blocks of a fold, the earlier one first."""


@dataclass(frozen=True)
class Fold:
    """Rows of one calendar, purged and embargoed.

    A walk-forward fold has one range each, in time order. A combinatorial one has
    :class:`~foldproof.models.date_rows.Spans`: test blocks lie between rows that are trained on.

    Attributes:
        number: Position in the plan, from 0, oldest first.
        train: Rows to fit on.
        validation: Rows for early stopping; may be empty.
        test: Rows to forecast; they are scored once, after everything is frozen.
        calendar: (D,) datetime64[D], the date of each row.
    """

    number: int
    train: Rows
    validation: Rows
    test: Rows
    calendar: np.ndarray = field(repr=False, compare=False)

    @property
    def in_order(self) -> bool:
        """Whether each block is one range: training, validation and test follow each other."""
        return not any(isinstance(one, Spans) for one in (self.train, self.validation, self.test))

    def borders(self) -> Iterator[tuple[str, Sequence[int], Sequence[int], bool]]:
        """Name, earlier rows, later rows and whether an embargo lies between, at each border.

        Where rows after a block are trained on too, it has a border on each side. The embargo then
        lies after the block only, and blocks that touch are one.
        """
        for first, second in BORDERS:
            rows, later = getattr(self, first), getattr(self, second)
            if self.in_order:
                yield f"{first}|{second}", rows, later, True
                continue
            for block in Spans.of(later).parts:
                before = [row for row in rows if row < block.start]
                after = [row for row in rows if row >= block.stop]
                yield f"{first}|{second}", before, block, False
                yield f"{second}|{first}", block, after, True

    @property
    def train_dates(self) -> np.ndarray:
        """(n,) datetime64[D] of the training rows."""
        return self.calendar[at(self.train)]

    @property
    def validation_dates(self) -> np.ndarray:
        """(n,) datetime64[D] of the validation rows."""
        return self.calendar[at(self.validation)]

    @property
    def test_dates(self) -> np.ndarray:
        """(n,) datetime64[D] of the test rows."""
        return self.calendar[at(self.test)]
