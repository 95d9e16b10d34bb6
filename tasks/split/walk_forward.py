"""Walk-forward plans: the settings, and the folds that they give."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from foldproof.models.spec import Spec, at_least, plain_numbers
from foldproof.tasks.split.cut import Cutter, PlanError, known_rows
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.split.shortage import shortage
from foldproof.tasks.split.size import Size, parse_size

if TYPE_CHECKING:
    from sklearn.utils.metadata_routing import MetadataRequest


@dataclass(frozen=True)
class WalkForward(Spec):
    """Cuts a calendar into folds train | validation | test that move forward in time.

    Sizes are whole trading days (``252``) or calendar periods (``"90D"``, ``"26W"``, ``"18M"``,
    ``"5Y"``) and are exact *after* purging: between two blocks, the rows whose labels are not known
    before the next block begins are dropped on top of the sizes.

    .. warning::

        A row is kept for training only if its label is known before the first date of the next
        block, with ``embargo`` further trading days between. Features that look back over k rows
        (moving averages, windows) do not leak in this direction. The embargo is for effects that
        outlast the label, such as serial correlation of the target.

    Example:
        >>> import numpy as np
        >>> dates = np.arange("2024-01-01", "2024-01-13", dtype="datetime64[D]")
        >>> for fold in WalkForward(train=4, validation=2, test=2, horizon=1).folds(dates):
        ...     print(fold.number, fold.train, fold.validation, fold.test)
        0 range(0, 4) range(5, 7) range(8, 10)
        1 range(2, 6) range(7, 9) range(10, 12)
    """

    __bounds__ = at_least(0, "embargo", "horizon") | at_least(1, "keep")
    __choices__ = MappingProxyType({"mode": ("sliding", "expanding"), "anchor": ("start", "end")})

    train: int | str
    """Training block: trading days, or a calendar period such as "5Y". The least if expanding."""
    validation: int | str
    """Validation block for early stopping, in the same units; 0 for none."""
    test: int | str
    """Test block, in the same units: how long a model is used before the next one replaces it."""
    step: int | str | None = None
    """Distance from one test block to the next, in the units of test. None: as long as test."""
    mode: Literal["sliding", "expanding"] = "sliding"
    """sliding: training blocks of equal size; expanding: all from the first date on."""
    embargo: int = 0
    """Trading days between the last label of a block and the next block."""
    horizon: int = 1
    """Rows until a label is known, in Python without label ends. A configuration sets
    target.horizon instead, and any other value here is refused."""
    keep: int | None = None
    """Keep only this many newest folds. None: all."""
    anchor: Literal["start", "end"] = "end"
    """end: the last test block ends with the data; start: the first begins as early as possible."""
    plan: Literal["walk_forward"] = "walk_forward"
    """The kind of plan: folds that move forward in time, or combinatorial."""

    def __post_init__(self) -> None:
        plain_numbers(self)
        for name, least in (("train", 1), ("validation", 0), ("test", 1)):
            parse_size(name, getattr(self, name), least)
        for name in self.__bounds__:
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise ValueError(f"{name} must be a whole number; it is {value!r}")
        super().__post_init__()
        if self.stride.calendar != parse_size("test", self.test).calendar:
            raise ValueError(
                f"step and test must both be trading days or both be calendar periods; "
                f"step is {self.step!r}, test is {self.test!r}"
            )

    @property
    def stride(self) -> Size:
        """Distance from one test block to the next."""
        return parse_size("step", self.test if self.step is None else self.step)

    def folds(self, dates: np.ndarray, label_end: np.ndarray | None = None) -> tuple[Fold, ...]:
        """The folds of a calendar, oldest first.

        Args:
            dates: (D,) datetime64, strictly increasing trading days.
            label_end: (D,) datetime64, the date on which the label of each row is known; NaT if
                that is after the data (such a row may be forecast, but never trained or validated
                on). None: a label is known ``horizon`` rows later.

        Raises:
            PlanError: No fold fits, test blocks overlap, or the dates are unusable.
        """
        calendar = checked_calendar(dates)
        cutter = self._cutter(calendar, label_end)
        newest_first = self.anchor == "end"
        blocks = list(islice(cutter.blocks(), self.keep if newest_first else None))
        blocks = blocks[::-1] if newest_first else blocks[-(self.keep or 0) :]
        if not blocks:
            texts = {"train": self.train, "validation": self.validation, "test": self.test}
            raise PlanError(shortage(cutter, texts))
        folds = tuple(Fold(number, *block, calendar) for number, block in enumerate(blocks))
        for earlier, later in pairwise(folds):
            shared = earlier.test.stop - later.test.start
            if shared > 0:
                raise PlanError(
                    f"step {self.step} is shorter than test {self.test}: {shared} dates would be "
                    "forecast by two folds; set step to at least the test block"
                )
        return folds

    def _cutter(self, calendar: np.ndarray, label_end: np.ndarray | None) -> Cutter:
        """The sizes, and the rows of ``calendar`` on which labels are known."""
        if label_end is None:
            known = np.arange(len(calendar)) + self.horizon
        else:
            known = known_rows(calendar, np.asarray(label_end).astype("datetime64[D]"))
        return Cutter(
            dates=calendar,
            known=known,
            train=parse_size("train", self.train),
            validation=parse_size("validation", self.validation, least=0),
            test=parse_size("test", self.test),
            step=self.stride,
            embargo=self.embargo,
            expanding=self.mode == "expanding",
            anchor=self.anchor,
        )

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """scikit-learn's protocol on a long panel: rows to train on and rows to test on.

        All rows of a date stay together. A label is known ``horizon`` dates later. Rows of the
        validation block are in neither set; with ``validation=0`` training ends at the purge.

        Args:
            X: (n, ...) in any order; only its number of rows is used.
            y: Not used.
            groups: (n,) the date of each row.

        Yields:
            (k,) int and (m,) int positions in ``X``.
        """
        calendar, place = np.unique(checked_groups(X, groups), return_inverse=True)
        yield from split_rows(self.folds(calendar), place)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds of the dates in ``groups``."""
        return len(self.folds(np.unique(checked_groups(X, groups))))

    def get_metadata_routing(self) -> "MetadataRequest":
        """Declare to scikit-learn's metadata routing that ``split`` needs ``groups``."""
        # imported here, because reading a configuration does not need scikit-learn
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=self)
        request.split.add_request(param="groups", alias=True)
        return request


def scored_folds(folds: tuple[Fold, ...], tuning: int) -> tuple[Fold, ...]:
    """The folds without the oldest ``tuning`` ones; PlanError if none is left."""
    if tuning >= len(folds):
        raise PlanError(
            f"tuning.folds {tuning} leaves no fold to score: the plan has {len(folds)}; lower "
            "tuning.folds, raise split.keep or shorten the blocks"
        )
    return folds[tuning:]


def plan_hash(folds: tuple[Fold, ...]) -> str:
    """Hash of the dates of every block; results are comparable only on the same plan."""
    digest = hashlib.sha256()
    for fold in folds:
        for dates in (fold.train_dates, fold.validation_dates, fold.test_dates):
            days = dates.astype("datetime64[D]").astype("<i8")
            digest.update(len(days).to_bytes(8, "little") + days.tobytes())
    return digest.hexdigest()[:16]


def checked_calendar(dates: np.ndarray) -> np.ndarray:
    """(D,) datetime64[D] of ``dates``.

    Raises:
        PlanError: Empty, not dates, NaT, or not strictly increasing.
    """
    given = np.asarray(dates)
    if given.ndim != 1 or not given.size or given.dtype.kind != "M":
        raise PlanError(
            f"dates must be a non-empty (D,) array of datetime64; it is {given.dtype} of shape "
            f"{given.shape}"
        )
    days = given.astype("datetime64[D]")
    if np.isnat(days).any():
        raise PlanError(f"dates must not be missing; row {int(np.argmax(np.isnat(days)))} is NaT")
    wrong = days[1:] <= days[:-1]
    if wrong.any():
        row = int(np.argmax(wrong))
        raise PlanError(
            f"dates must be strictly increasing days; {days[row]} is followed by {days[row + 1]}"
        )
    return days


def checked_groups(X: Any, groups: Any) -> np.ndarray:
    """(n,) datetime64[D], the date of each row of ``X``.

    Raises:
        ValueError: ``groups`` is missing, or not one date per row.
    """
    if groups is None:
        raise ValueError(
            "groups must be the date of each row: cross_val_score(..., groups=frame['date'])"
        )
    dates = np.asarray(groups)
    if dates.dtype.kind != "M":
        raise ValueError(f"groups must be dates (datetime64); they are {dates.dtype}")
    rows = len(dates) if X is None else (X.shape[0] if hasattr(X, "shape") else len(X))
    if rows != len(dates):
        raise ValueError(f"groups must hold one date per row of X: {rows} rows, {len(dates)} dates")
    return dates.astype("datetime64[D]")


def split_rows(
    folds: tuple[Fold, ...], place: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions whose date row (n,) is trained on, and those whose date row is tested, by fold."""
    for fold in folds:
        train, test = (np.isin(place, [*rows]) for rows in (fold.train, fold.test))
        yield np.flatnonzero(train), np.flatnonzero(test)
