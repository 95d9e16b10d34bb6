"""Settings of nightly operation: the gate, the checks of a night, monitoring."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BeforeValidator, ValidationInfo

from foldproof.models.spec import Spec, at_least, clipped, nearest, require, within
from foldproof.tasks.operate.sessions import why_no_calendar


@dataclass(frozen=True)
class GateSpec(Spec):
    """Conditions that a new model must meet to become the champion."""

    __bounds__ = (
        at_least(1, "folds", "refresh_after")
        | at_least(2, "min_dates")
        | at_least(0, "max_age", "renewal_margin")
        | within("[0.001, 0.5]", "level")
        | within("(0, 1]", "min_coverage")
    )

    folds: int = 2
    """Number of newest folds to train. Models are compared on their test blocks, and the network
    of the newest fold is registered."""
    level: float = 0.05
    """Probability, per year of tested dates, of promoting a challenger although the champion is as
    good as all of them; it holds however often the gate is asked."""
    least_gain: float = 0.0
    """Gain in mean daily rank IC over the champion that a challenger must exceed."""
    min_dates: int = 40
    """Least number of dates with known labels that challenger and champion both forecast since the
    champion took office, over all nights; with fewer, or too few for the level, it stays."""
    min_coverage: float = 0.9
    """Least share of the universe's rows in the test blocks that a challenger forecasts."""
    max_age: int = 10
    """Most business days from the newest row to the night of the retraining."""
    refresh_after: int | None = 252
    """Trading dates after which a champion is due for renewal: then a challenger that is shown to
    lose less than ``renewal_margin`` replaces it. None: never."""
    renewal_margin: float = 0.02
    """Loss in mean daily rank IC below which a challenger may renew the champion. A year of tests
    shows 0.02 on about 300 stocks; on 20 stocks only 0.1."""


@dataclass(frozen=True)
class Bound(Spec):
    """Bounds of a statistic: beyond one it is a warning, beyond the other the night is refused."""

    warn: float | None = None
    """Beyond this a warning. None: never."""
    refuse: float | None = None
    """Beyond this the night is refused. None: never."""


BOUNDS: Mapping[str, Bound] = MappingProxyType({
    "staleness": Bound(warn=1, refuse=5),
    "missing": Bound(warn=0.05, refuse=0.5),
    "shift": Bound(warn=1.0, refuse=None),
    "distance": Bound(warn=0.02, refuse=0.5),
    "coverage": Bound(warn=0.95, refuse=0.5),
    "age": Bound(warn=365, refuse=730),
})  # fmt: skip
"""The default bounds."""
LESS_IS_WORSE = ("coverage",)
"""Statistics that are beyond a bound if they are below it."""


def completed(given: Any, info: ValidationInfo) -> Any:
    """A bound with one side set, such as ``age.refuse=900``, keeps the default of the other."""
    usual = BOUNDS.get(info.field_name or "")
    return asdict(usual) | dict(given) if usual and isinstance(given, Mapping) else given


Bounded = Annotated[Bound, BeforeValidator(completed)]


@dataclass(frozen=True)
class ScoreSpec(Spec):
    """Bounds within which the champion scores the newest rows."""

    __bounds__ = at_least(1, "shift_dates")

    staleness: Bounded = BOUNDS["staleness"]
    """Business days from the newest row to the night."""
    missing: Bounded = BOUNDS["missing"]
    """Share of the universe's feature values missing on the newest date."""
    shift: Bounded = BOUNDS["shift"]
    """Population stability index of the worst feature, newest dates against training. The usual
    bound of 0.25 is for independent values. On the bundled panel the worst of the slow features,
    such as volatility over a quarter, has 0.1 to 1.2 from one year to the next."""
    distance: Bounded = BOUNDS["distance"]
    """Share of the newest date's feature values outside the training range."""
    coverage: Bounded = BOUNDS["coverage"]
    """Share of the universe that gets a score; less is worse."""
    age: Bounded = BOUNDS["age"]
    """Calendar days since the model's training and validation rows end; beyond refuse it is
    expired."""
    shift_dates: int = 252
    """Newest trading dates in the population stability index. A slow feature looks moved over any
    single quarter."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, bound in self.bounds.items():
            ends = [end for end in (bound.warn, bound.refuse) if end is not None]
            require(
                ends == sorted(ends, reverse=name in LESS_IS_WORSE),
                f"score.{name}.warn must not lie beyond refuse, or no warning could come first; "
                f"they are {bound.warn} and {bound.refuse}",
            )

    @property
    def bounds(self) -> dict[str, Bound]:
        """The bound of every statistic by its name."""
        return {name: getattr(self, name) for name in BOUNDS}


@dataclass(frozen=True)
class MonitorSpec(Spec):
    """Bounds of the alerts."""

    __bounds__ = (
        at_least(1, "dates", "samples")
        | at_least(0, "most_missed")
        | within("(0, 0.5)", "level")
        | within("[-1, 1]", "least_tau")
    )

    dates: int = 63
    """Newest trading dates for the mean realised rank IC, at least four horizons, and for the
    attribution of forecasts."""
    level: float = 0.05
    """One-sided level: an alert if that mean is significantly below zero."""
    least_tau: float = 0.3
    """Alert if Kendall's tau of the features' importance, now and in training, is below this."""
    most_shift: float | None = 1.0
    """Alert if the population stability index of a feature is above this. None: never."""
    samples: int = 200
    """Number of windows whose integrated gradients give the importance now."""
    most_missed: int | None = 2
    """Alert if more nights in a row than this have no score. A holiday after the newest row counts
    as a night unless operation.calendar knows it. None: never."""


def why_no_model_name(name: str) -> str:
    """Why a registry, a file system or a filter of runs refuses a name; empty if none does."""
    if not name.strip() or name != name.strip():
        return "must be a name without blanks at its ends"
    if set(name) & set("/\\:@'\"") or not name.isprintable():
        return "must be a name without / \\ : @ quotes and control characters"
    if not name.strip("."):
        return "must not consist of dots"
    return "" if len(name.encode()) <= 200 else "must be shorter than 200 bytes"


@dataclass(frozen=True)
class OperationSpec(Spec):
    """Nightly operation of one registered model."""

    model: str = "foldproof"
    """Name in the model registry; the version with the alias champion scores."""
    as_of: date | None = None
    """The night: later rows are not used, and ages are counted up to it. None: the date on which
    the run was due to start, in timezone."""
    timezone: str = "America/New_York"
    """Time zone of the schedules and of the night's date, such as Europe/Berlin."""
    calendar: str | None = None
    """Calendar of the exchange, such as XNYS, XLON or XTKS: staleness and missed nights count its
    sessions. Needs pip install 'foldproof[calendar]'. None: Monday to Friday, where a holiday
    counts."""
    gate: GateSpec = field(default_factory=GateSpec)
    """When a new model replaces the champion."""
    score: ScoreSpec = field(default_factory=ScoreSpec)
    """When the champion may score."""
    monitor: MonitorSpec = field(default_factory=MonitorSpec)
    """When monitoring alerts."""

    def __post_init__(self) -> None:
        why = why_no_model_name(self.model)
        require(not why, f"operation.model {why}; it is {clipped(self.model)}")
        why = why_no_calendar(self.calendar) if self.calendar is not None else ""
        require(not why, f"operation.calendar {why}; it is {clipped(self.calendar)}")
        known = is_timezone(self.timezone)
        hint = "" if known else nearest(self.timezone, available_timezones())
        require(
            known,
            "operation.timezone must be an IANA name such as Europe/Berlin; it is "
            f"{clipped(self.timezone)}{hint}",
        )


def is_timezone(name: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
