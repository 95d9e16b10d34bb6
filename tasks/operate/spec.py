"""How a model is run day by day: when it may take the champion's place, when it may score."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

from foldproof.models.spec import Spec, at_least, require, within


@dataclass(frozen=True)
class GateSpec(Spec):
    """What a newly trained model must show before it becomes the champion."""

    __bounds__ = (
        at_least(1, "folds", "refresh_after")
        | at_least(2, "min_dates")
        | at_least(0, "max_age")
        | within("(0, 1]", "level", "min_coverage")
    )

    folds: int = 2
    """Newest folds that are trained; their test blocks are the stretch on which models are
    compared, and the newest fold's network is the one that is registered."""
    level: float = 0.05
    """One-sided level of the paired test against the champion, shared among the challengers."""
    least_gain: float = 0.0
    """Mean daily rank IC by which a challenger must exceed the champion."""
    min_dates: int = 40
    """Dates with known labels that both forecast out of sample; fewer, and the champion stays."""
    min_coverage: float = 0.9
    """Least share of the universe's rows of the stretch that the challenger forecasts."""
    max_age: int = 10
    """Business days that the newest row may lie behind the night of the retraining."""
    refresh_after: int | None = 252
    """Trading dates after which a champion is due for renewal: a challenger that is not
    significantly worse then takes its place. None: never."""


@dataclass(frozen=True)
class Bound(Spec):
    """Where a statistic of the rows begins to be a warning, and where a reason not to score."""

    warn: float | None = None
    """Beyond this it is said; none: never."""
    refuse: float | None = None
    """Beyond this there are no scores; none: never."""

    def ordered(self, falling: bool) -> bool:
        """Whether the warning comes no later than the refusal; ``falling``: less is worse."""
        if self.warn is None or self.refuse is None:
            return True
        return self.warn >= self.refuse if falling else self.warn <= self.refuse


BOUNDS: Mapping[str, Bound] = MappingProxyType({
    "staleness": Bound(warn=1, refuse=5),
    "missing": Bound(warn=0.05, refuse=0.5),
    "shift": Bound(warn=1.0, refuse=None),
    "distance": Bound(warn=0.02, refuse=0.5),
    "coverage": Bound(warn=0.95, refuse=0.5),
    "age": Bound(warn=365, refuse=730),
})  # fmt: skip
"""What holds where a configuration says nothing."""
LESS_IS_WORSE = ("coverage",)
"""Statistics that are beyond a bound when they lie below it."""


def completed(given: Any, info: ValidationInfo) -> Any:
    """A bound of which a configuration sets one side keeps the other: ``age.refuse=900``."""
    usual = BOUNDS.get(info.field_name or "")
    return asdict(usual) | dict(given) if usual and isinstance(given, Mapping) else given


Bounded = Annotated[Bound, BeforeValidator(completed)]


@dataclass(frozen=True)
class ScoreSpec(Spec):
    """Bounds within which the champion scores the newest rows."""

    __bounds__ = at_least(1, "shift_dates")

    staleness: Bounded = BOUNDS["staleness"]
    """Business days that the newest row lies behind the night."""
    missing: Bounded = BOUNDS["missing"]
    """Share of missing feature values of the newest date, over the universe."""
    shift: Bounded = BOUNDS["shift"]
    """Population stability index of the worst feature, newest dates against training. The usual
    0.25 is for independent values: of the bundled panel's slow features, such as volatility over a
    quarter, the worst has 0.1 to 1.2 over 252 dates from one year to the next."""
    distance: Bounded = BOUNDS["distance"]
    """Share of the newest date's feature values outside the training range."""
    coverage: Bounded = BOUNDS["coverage"]
    """Share of the universe that gets a score: here less is worse."""
    age: Bounded = BOUNDS["age"]
    """Calendar days since the model's training block, validation included, ended: beyond refuse
    it is expired."""
    shift_dates: int = 252
    """Newest trading dates that the population stability index looks at; over a quarter, a slow
    feature looks moved in every quarter."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, bound in self.bounds.items():
            require(
                bound.ordered(falling=name in LESS_IS_WORSE),
                f"score.{name}.warn must not lie beyond refuse, or nothing would be warned of; "
                f"they are {bound.warn} and {bound.refuse}",
            )

    @property
    def bounds(self) -> dict[str, Bound]:
        """The bound of every statistic by its name."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: bound for name, bound in named.items() if isinstance(bound, Bound)}


@dataclass(frozen=True)
class MonitorSpec(Spec):
    """What is watched once labels arrive."""

    __bounds__ = (
        at_least(1, "dates", "samples")
        | within("(0, 0.5)", "level")
        | within("[-1, 1]", "least_tau")
    )

    dates: int = 63
    """Trading dates over which the realised rank IC is averaged and forecasts are attributed."""
    level: float = 0.05
    """One-sided level at which that mean must not lie below zero."""
    least_tau: float = 0.3
    """Kendall's tau between the importance of features now and in training; below it, an alert."""
    most_shift: float | None = 1.0
    """Population stability index of the worst feature; above it, an alert. None: never."""
    samples: int = 200
    """Windows of the newest dates whose integrated gradients give the importance now."""


@dataclass(frozen=True)
class OperationSpec(Spec):
    """Nightly operation of one registered model."""

    model: str = "foldproof"
    """Name in the model registry; its alias champion scores."""
    as_of: date | None = None
    """The night: rows after it are not looked at, ages are counted to it. None: today."""
    gate: GateSpec = field(default_factory=GateSpec)
    """When a new model takes the champion's place."""
    score: ScoreSpec = field(default_factory=ScoreSpec)
    """When the champion may score."""
    monitor: MonitorSpec = field(default_factory=MonitorSpec)
    """When somebody should look."""

    def __post_init__(self) -> None:
        require(
            bool(self.model.strip()) and not set(self.model) & set("/:@"),
            f"operation.model must be a name without / : @; it is {self.model!r}",
        )
