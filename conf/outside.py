"""The typed description of an audit of a user's forecaster."""

from collections.abc import Sequence
from datetime import date as date_of_day
from typing import ClassVar

from pydantic import field_validator

from foldproof.conf.form import Description
from foldproof.conf.load import described
from foldproof.models.spec import at_least, within
from foldproof.tasks.split import WalkForward
from foldproof.tasks.track.spec import TrackingSpec


class OutsideAudit(Description):
    """A user's forecaster, the rows that it reads, and facts about them."""

    __bounds__: ClassVar = (
        at_least(0, "embargo", "placebo", "permutations", "seed")
        | at_least(1, "horizon", "cuts")
        | within("[0, 1]", "hazard")
    )

    forecaster: str
    """package.module:function, called as (data, fold) or (data, fold, trace)."""
    path: str
    """Parquet or CSV file in long form: one row per date and symbol."""
    date: str = "date"
    """Column of trading days."""
    symbol: str = "symbol"
    """Column of stocks."""
    start: date_of_day | None = None
    """First date to keep."""
    split: WalkForward | None = None
    """Plan whose newest fold is audited; by default half of the dates train, an eighth validates
    and a quarter is forecast."""
    known_at: dict[str, str] = {}  # noqa: RUF012  # pydantic copies defaults
    """Column that becomes known late, such as the label -> column of the date it becomes known."""
    embargo: int = 0
    """Trading days that must lie between the last label and the block after it."""
    target: str | None = None
    """Target of the forecasts: a column, or package.module:function (rows -> Series)."""
    horizon: int | None = None
    """Rows that a label spans; by default as many as known_at says, else 1."""
    prices: tuple[str, ...] = ()
    """Columns of prices, the close last, for the noise placebo."""
    placebo: int = 0
    """Number of unpredictable noise data sets to train on; 5 give the test good power."""
    permutations: int = 0
    """Trainings on permuted labels, if target is a column; usually 20, at least 5."""
    hazard: float | None = None
    """Share of symbols delisted in a year, from another source."""
    cuts: int | None = None
    """Dates after which all rows are changed; 20 if training is traced, else 4."""
    seed: int = 0
    """Seed of the cuts and changes."""
    tracking: TrackingSpec = TrackingSpec()
    """Where the audit is logged."""

    @field_validator("known_at", mode="before")
    @classmethod
    def paired(cls, pairs: object) -> object:
        """Check that it maps each column to the column of the date on which it becomes known."""
        if not isinstance(pairs, dict):
            raise ValueError(
                "each column needs the column of the date on which it becomes known, as in "
                f"known_at.label=known; it is {pairs!r}"
            )
        return pairs

    @field_validator("forecaster")
    @classmethod
    def named(cls, name: str) -> str:
        """A module and a function in it."""
        if name.count(":") != 1 or not all(name.split(":")):
            raise ValueError(f"forecaster must be package.module:function; it is {name!r}")
        return name


def load_outside(forecaster: str, path: str, overrides: Sequence[str] = ()) -> OutsideAudit:
    """The audit of ``forecaster`` on ``path`` with settings such as ``known_at.label=known``.

    Raises:
        ConfigError: An unknown key, or a value out of bounds.
    """
    given = {"forecaster": forecaster, "path": path}
    return described(OutsideAudit, given, overrides, f"the audit of {forecaster} cannot be run")
