"""The typed description of an audit of somebody's own forecaster, from the command line."""

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
    """A forecaster that is somebody's own, the rows it reads, and what is known of them."""

    __bounds__: ClassVar = (
        at_least(0, "embargo", "placebo", "permutations", "seed")
        | at_least(1, "horizon", "cuts")
        | within("[0, 1]", "hazard")
    )

    forecaster: str
    """package.module:function, called as (data, fold) or (data, fold, trace)."""
    path: str
    """Parquet or CSV in long form: one row a date and symbol."""
    date: str = "date"
    """Column of trading days."""
    symbol: str = "symbol"
    """Column of stocks."""
    start: date_of_day | None = None
    """First date to keep."""
    split: WalkForward | None = None
    """The fold that is audited: the newest of this plan; by default half of the dates train, an
    eighth validates, a quarter is forecast."""
    known_at: dict[str, str] = {}  # noqa: RUF012  # pydantic copies defaults
    """Columns known later than their date, labels above all -> the column that says when."""
    embargo: int = 0
    """Trading days that must lie between the last label and the block after it."""
    target: str | None = None
    """A column, or package.module:function (rows -> Series on the same rows): what is forecast."""
    horizon: int = 1
    """Rows that a label spans."""
    prices: tuple[str, ...] = ()
    """Columns of prices, the close last, for the noise placebo."""
    placebo: int = 0
    """Twins without predictability to train on; 5 make that test strong."""
    permutations: int = 0
    """Trainings on permuted labels, where target is a column; 20 are usual, at least 5."""
    hazard: float | None = None
    """Share of symbols that end in a year, if it is known of the universe."""
    cuts: int | None = None
    """Dates after which everything is changed; 20 where training is traced, else 4."""
    seed: int = 0
    """Of cuts and changes."""
    tracking: TrackingSpec = TrackingSpec()
    """Where the audit is logged."""

    @field_validator("known_at", mode="before")
    @classmethod
    def paired(cls, pairs: object) -> object:
        """Each column with the one that says when it is known."""
        if not isinstance(pairs, dict):
            raise ValueError(
                "each column needs the one that says when it is known, as in "
                f"known_at.label=known; it is {pairs!r}"
            )
        return pairs

    @field_validator("forecaster")
    @classmethod
    def named(cls, name: str) -> str:
        """A module and what stands in it."""
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
