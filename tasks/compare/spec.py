"""Settings of the comparison."""

from dataclasses import dataclass

from foldproof.models.spec import Spec, at_least, within


@dataclass(frozen=True)
class StatisticsSpec(Spec):
    """Intervals and the confidence set over the daily rank IC."""

    __bounds__ = at_least(100, "draws") | within("[0.5, 1)", "level")

    reference: str = "none"
    """The variant that paired differences are measured against."""
    level: float = 0.95
    """Joint level of the intervals over all variants, and of the confidence set."""
    draws: int = 1000
    """Stationary bootstrap draws."""
    seed: int = 0
    """Seeds the bootstrap."""
