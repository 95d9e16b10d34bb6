"""Paths of a combinatorial plan: each forecasts every date once, by one split per group."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from foldproof.models.date_rows import parts_of
from foldproof.tasks.split.fold import Fold


@dataclass(frozen=True, eq=False)
class Paths:
    """Which split forecasts each group of dates on each path.

    Attributes:
        groups: G ranges of rows, oldest first; together they are the calendar.
        splits: (P, G) number of the split.
        calendar: (D,) datetime64[D].
    """

    groups: tuple[range, ...]
    splits: np.ndarray
    calendar: np.ndarray

    @classmethod
    def of(cls, folds: tuple[Fold, ...], splits: np.ndarray) -> "Paths":
        """The paths ``splits`` (P, G) of a combinatorial plan."""
        groups = {part for fold in folds for part in parts_of(fold.test)}
        ordered = tuple(sorted(groups, key=lambda one: one.start))
        return cls(ordered, splits, folds[0].calendar)

    def named(self, forecasts: pd.DataFrame) -> pd.DataFrame:
        """Forecasts of a split with its paths: ``fold`` is then the group of the date.

        Args:
            forecasts: date, fold (number of the split), and more.

        Returns:
            The same rows with ``fold`` replaced and the column ``path`` added.
        """
        days = forecasts["date"].to_numpy().astype("datetime64[D]")
        rows = np.searchsorted(self.calendar, days)
        group = np.searchsorted([one.start for one in self.groups], rows, side="right") - 1
        on_path = self.splits[:, group] == forecasts["fold"].to_numpy()
        return forecasts.assign(fold=group, path=on_path.argmax(axis=0))

    def by_date(self, folds: tuple[Fold, ...]) -> tuple[Fold, ...]:
        """A fold per group, numbered like it, with the training rows of the first path."""
        return tuple(
            replace(folds[split], number=group, test=self.groups[group])
            for group, split in enumerate(self.splits[0])
        )
