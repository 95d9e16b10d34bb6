"""Settings of the comparison."""

from dataclasses import dataclass

from foldproof.models.spec import STRICT, at_least, require


@dataclass(frozen=True)
class StatisticsSpec:
    """Intervals and the confidence set over the daily rank IC."""

    __pydantic_config__ = STRICT
    __form__ = at_least(100, "draws") | {"level": {"minimum": 0.5, "exclusiveMaximum": 1}}

    reference: str = "none"
    """The variant that paired differences are taken against."""
    level: float = 0.95
    """Joint level of the intervals over all variants, and of the confidence set."""
    draws: int = 1000
    """Stationary bootstrap draws."""
    seed: int = 0
    """Seeds the bootstrap."""

    def __post_init__(self) -> None:
        require(0.5 <= self.level < 1, f"level must lie in [0.5, 1); it is {self.level}")
        require(self.draws >= 100, f"draws must be at least 100; it is {self.draws}")
