"""Combinatorial purged cross-validation: every choice of test groups, and the resulting paths."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from math import comb
from typing import Any, Literal

import numpy as np

from foldproof.models.date_rows import Spans
from foldproof.models.spec import Spec, at_least, require
from foldproof.tasks.split.cut import PlanError, known_rows
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.split.walk_forward import checked_calendar, checked_groups, split_rows

MOST_SPLITS = 10_000
"""Splits beyond which a plan is refused: each trains a model."""


@dataclass(frozen=True)
class CombinatorialPurged(Spec):
    """Cuts a calendar into groups and tests every choice of ``tested`` of them.

    The other groups are trained on, without the rows whose labels overlap a label of a test group
    (purge by label end) and without ``embargo`` rows after one (Lopez de Prado 2018, Advances in
    Financial Machine Learning, chapters 7 and 12). With a constant ``horizon`` and no validation
    the splits are those of skfolio's ``CombinatorialPurgedCV`` with ``purged_size`` equal to the
    horizon. The validation groups for early stopping, which the source does not have, are the next
    ones after the last test group that are not tested, from the oldest again after the newest; they
    are purged on every side like test groups.

    .. warning::

        A model is trained on dates after its test groups, so this is not a simulation of what would
        have been earned. It gives several paths through the same history, and with them the range
        of a result. Choose with it; report walk-forward. A window that ends after a test group may
        read rows of that group; an embargo of at least the window less one row less the horizon
        keeps tested inputs out of training, and a comparison insists on it. Features that look back
        further are not kept out: their values after the group depend on returns in it.

    Example:
        >>> import numpy as np
        >>> dates = np.arange("2024-01-01", "2024-01-13", dtype="datetime64[D]")
        >>> for fold in CombinatorialPurged(groups=3, tested=2, horizon=1).folds(dates):
        ...     print([*fold.train], fold.test.parts)
        [9, 10, 11] (range(0, 4), range(4, 8))
        [5, 6] (range(0, 4), range(8, 12))
        [0, 1, 2] (range(4, 8), range(8, 12))
    """

    __bounds__ = (
        at_least(3, "groups")
        | at_least(2, "tested")
        | at_least(0, "embargo", "horizon", "validation")
    )

    groups: int = 10
    """Groups of dates in sequence, of equal size; the last one has the remainder."""
    tested: int = 2
    """Groups that a split tests."""
    embargo: int = 0
    """Trading days left out of training after the last label of a test group."""
    horizon: int = 1
    """Rows until a label is known; used only if label ends are not given."""
    validation: int = 0
    """Groups for early stopping, which a split neither trains on nor tests."""
    plan: Literal["combinatorial"] = "combinatorial"
    """The kind of plan: every choice of test groups, or walk_forward."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.tested + self.validation < self.groups,
            f"tested must be below groups, so that some are trained on; it is {self.tested} of "
            f"{self.groups}" + f", and {self.validation} validate" * bool(self.validation),
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

    def folds(self, dates: np.ndarray, label_end: np.ndarray | None = None) -> tuple[Fold, ...]:
        """The splits of a calendar, in the order of ``itertools.combinations``.

        Args:
            dates: (D,) datetime64, strictly increasing trading days.
            label_end: (D,) datetime64, the date on which the label of each row is known; NaT if
                that is after the data (such a row is never trained on). None: a label is known
                ``horizon`` rows later.

        Returns:
            Folds of :class:`~foldproof.models.date_rows.Spans`; the parts of a test block are its
            groups.

        Raises:
            PlanError: A group has no date, nothing is left to train or validate on, or the dates
                are unusable.
        """
        calendar = checked_calendar(dates)
        rows = len(calendar)
        if rows < self.groups:
            raise PlanError(
                f"{rows} dates cannot be cut into {self.groups} groups: lower groups, or take more "
                "history"
            )
        known = np.minimum(np.arange(rows) + self.horizon, rows)
        usable = np.ones(rows, dtype=bool)
        if label_end is not None:
            known = known_rows(calendar, np.asarray(label_end).astype("datetime64[D]"))
            usable = known < rows
        size = rows // self.groups
        starts = [size * group for group in range(self.groups)] + [rows]
        blocks = [range(*pair) for pair in pairwise(starts)]
        folds = []
        for number, chosen in enumerate(combinations(range(self.groups), self.tested)):
            tests = tuple(blocks[group] for group in chosen)
            held = [blocks[group] for group in self.validating(chosen)]
            validated = np.zeros(rows, dtype=bool)
            for block in held:
                validated[block.start : block.stop] = usable[block.start : block.stop]
            validation = self._apart(validated, tests, known)
            train = self._apart(usable, (*tests, *held), known)
            for found, verb in ((train, "train"), (validation, "validate"))[: 1 + bool(held)]:
                if not found.any():
                    raise PlanError(
                        f"split {number} has no row to {verb} on: lower groups, horizon or "
                        "embargo, or take more history"
                    )
            to_train, to_validate = (Spans.of(np.flatnonzero(one)) for one in (train, validation))
            folds.append(Fold(number, to_train, to_validate, Spans(tests), calendar))
        return tuple(folds)

    def validating(self, chosen: tuple[int, ...]) -> list[int]:
        """The validation groups of a split that tests the groups ``chosen``, ascending."""
        after = [(chosen[-1] + step) % self.groups for step in range(1, self.groups)]
        return sorted([group for group in after if group not in chosen][: self.validation])

    def _apart(
        self, usable: np.ndarray, blocks: tuple[range, ...], known: np.ndarray
    ) -> np.ndarray:
        """(D,) bool: the ``usable`` rows outside ``blocks``, purged and embargoed.

        Args:
            usable: (D,) bool.
            blocks: Ranges of rows.
            known: (D,) the row on which the label of each row is known.
        """
        kept, number = usable.copy(), np.arange(len(usable))
        for block in blocks:
            last = int(known[block.stop - 1]) + self.embargo  # labels of the block end here
            kept[(number < block.start) & (known >= block.start)] = False
            kept[block.start : last + 1] = False
        return kept

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
        yield from split_rows(self.folds(calendar), place)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of splits."""
        return self.splits
