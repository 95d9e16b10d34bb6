"""Combinatorial purged cross-validation: every choice of test groups, and the resulting paths."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, pairwise
from math import comb
from typing import Any

import numpy as np

from foldproof.models.spec import Spec, at_least, require
from foldproof.tasks.split.cut import PlanError, known_rows
from foldproof.tasks.split.walk_forward import checked_calendar, checked_groups

MOST_SPLITS = 10_000
"""Splits beyond which a plan is refused: each trains a model."""


@dataclass(frozen=True)
class CombinatorialFold:
    """Some groups of rows are tested; the rows of the others that are not purged are trained on.

    Attributes:
        number: Position in the plan, from 0.
        train: (n,) rows to fit on, ascending; before, between and after the test groups.
        tests: Rows of each test group, oldest first.
        calendar: (D,) datetime64[D], the date of each row.
    """

    number: int
    train: np.ndarray
    tests: tuple[range, ...]
    calendar: np.ndarray = field(repr=False, compare=False)

    @property
    def test(self) -> np.ndarray:
        """(m,) rows of all test groups, ascending."""
        return np.concatenate([np.arange(one.start, one.stop) for one in self.tests])

    def borders(self) -> Iterator[tuple[str, np.ndarray, np.ndarray, bool]]:
        """Name, earlier rows, later rows and whether an embargo lies between, at each test block.

        Adjacent test groups are one block. The embargo lies after a test block only.
        """
        gaps = np.flatnonzero(np.diff(self.test) > 1) + 1
        for block in np.split(self.test, gaps):
            yield "train|test", self.train[self.train < block[0]], block, False
            yield "test|train", block, self.train[self.train > block[-1]], True


@dataclass(frozen=True)
class CombinatorialPurged(Spec):
    """Cuts a calendar into groups and tests every choice of ``tested`` of them.

    The other groups are trained on, without the rows whose labels overlap a label of a test group
    (purge by label end) and without ``embargo`` rows after one (Lopez de Prado 2018, Advances in
    Financial Machine Learning, chapters 7 and 12). With a constant ``horizon`` the splits are those
    of skfolio's ``CombinatorialPurgedCV`` with ``purged_size`` equal to the horizon.

    .. warning::

        A model is trained on dates after its test groups, so this is no simulation of what would
        have been earned. It gives several paths through the same history, and with them the range
        of a result. Choose with it; report walk-forward.

    Example:
        >>> import numpy as np
        >>> dates = np.arange("2024-01-01", "2024-01-13", dtype="datetime64[D]")
        >>> for fold in CombinatorialPurged(groups=3, tested=2, horizon=1).folds(dates):
        ...     print(fold.train.tolist(), fold.tests)
        [9, 10, 11] (range(0, 4), range(4, 8))
        [5, 6] (range(0, 4), range(8, 12))
        [0, 1, 2] (range(4, 8), range(8, 12))
    """

    __bounds__ = at_least(3, "groups") | at_least(2, "tested") | at_least(0, "embargo", "horizon")

    groups: int = 10
    """Groups of dates in sequence, of equal size; the last one has the remainder."""
    tested: int = 2
    """Groups that a split tests."""
    embargo: int = 0
    """Trading days left out of training after the last label of a test group."""
    horizon: int = 1
    """Rows until a label is known; used only if label ends are not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.tested < self.groups,
            f"tested must be below groups, so that some are trained on; it is {self.tested} of "
            f"{self.groups}",
        )
        require(
            self.splits <= MOST_SPLITS,
            f"groups {self.groups} and tested {self.tested} give {self.splits} splits, each of "
            f"which trains a model; at most {MOST_SPLITS} are cut: lower groups or tested",
        )

    @property
    def splits(self) -> int:
        """Number of splits: choices of test groups."""
        return comb(self.groups, self.tested)

    @cached_property
    def paths(self) -> np.ndarray:
        """(P, groups) the split that forecasts each group on each path.

        Each group is tested by P splits; a path takes one of them for each group, in order, so it
        forecasts every date once.
        """
        chosen = list(combinations(range(self.groups), self.tested))
        testing = [[n for n, one in enumerate(chosen) if g in one] for g in range(self.groups)]
        return np.array(testing).T

    def folds(
        self, dates: np.ndarray, label_end: np.ndarray | None = None
    ) -> tuple[CombinatorialFold, ...]:
        """The splits of a calendar, in the order of ``itertools.combinations``.

        Args:
            dates: (D,) datetime64, strictly increasing trading days.
            label_end: (D,) datetime64, the date on which the label of each row is known; NaT if
                that is after the data (such a row is never trained on). None: a label is known
                ``horizon`` rows later.

        Raises:
            PlanError: A group has no date, nothing is left to train on, or the dates are unusable.
        """
        calendar = checked_calendar(dates)
        rows = len(calendar)
        if rows < self.groups:
            raise PlanError(
                f"{rows} dates cannot be cut into {self.groups} groups: lower groups, or take more "
                "history"
            )
        known = np.minimum(np.arange(rows) + self.horizon, rows)
        trained = np.ones(rows, dtype=bool)
        if label_end is not None:
            known = known_rows(calendar, np.asarray(label_end).astype("datetime64[D]"))
            trained = known < rows
        size = rows // self.groups
        starts = [size * group for group in range(self.groups)] + [rows]
        blocks = [range(*pair) for pair in pairwise(starts)]
        folds = []
        for number, chosen in enumerate(combinations(range(self.groups), self.tested)):
            tests = tuple(blocks[group] for group in chosen)
            kept = trained.copy()
            for test in tests:
                last = int(known[test.stop - 1]) + self.embargo  # labels of the test end here
                reaches = (np.arange(rows) < test.start) & (known >= test.start)
                kept[reaches] = False
                kept[test.start : last + 1] = False
            if not kept.any():
                raise PlanError(
                    f"split {number} has no row to train on: lower groups, horizon or embargo, or "
                    "take more history"
                )
            folds.append(CombinatorialFold(number, np.flatnonzero(kept), tests, calendar))
        return tuple(folds)

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """scikit-learn's protocol on a long panel: rows to train on and rows to test on.

        Args:
            X: (n, ...) in any order; only its number of rows is used.
            y: Not used.
            groups: (n,) the date of each row. All rows of a date stay together.

        Yields:
            (k,) int and (m,) int positions in ``X``.
        """
        calendar, place = np.unique(checked_groups(X, groups), return_inverse=True)
        for fold in self.folds(calendar):
            yield (
                np.flatnonzero(np.isin(place, fold.train)),
                np.flatnonzero(np.isin(place, fold.test)),
            )

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of splits."""
        return self.splits
