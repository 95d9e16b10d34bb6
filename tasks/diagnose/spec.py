"""How much leak audit an experiment asks for."""

from dataclasses import dataclass

from foldproof.models.spec import STRICT, at_least, require


@dataclass(frozen=True)
class AuditSpec:
    """The exact leak tests of every comparison."""

    __pydantic_config__ = STRICT
    __form__ = at_least(1, "cuts", "feature_cuts", "forecast_cuts") | at_least(
        0, "retrain_folds", "placebo"
    )

    cuts: int = 3
    """Dates in each test block after which everything is changed (serve invariance)."""
    feature_cuts: int = 20
    """The same for the features: over the whole panel in a comparison, over the years that the
    fold trains on in foldproof audit."""
    forecast_cuts: int = 8
    """Dates to cut a variant's forecasts at, for foldproof audit."""
    rows: int = 189
    """Newest rows that foldproof audit trains on; it validates on half as many. A leak into
    training shows on few years as on many."""
    retrain_folds: int = 1
    """Folds on which each variant is trained again on a changed future (train invariance)."""
    placebo: int = 0
    """Twins without predictability to train on, for foldproof audit; 5 make that test strong."""
    hazard: float | None = None
    """Share of symbols that end in a year, as known of the universe, for foldproof audit."""

    def __post_init__(self) -> None:
        for name in ("cuts", "feature_cuts", "forecast_cuts", "rows"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1; it is {value}")
        for name in ("retrain_folds", "placebo"):
            value = getattr(self, name)
            require(value >= 0, f"{name} must not be negative; it is {value}")
        require(
            self.hazard is None or 0 < self.hazard < 1,
            f"hazard must lie between 0 and 1 a year; it is {self.hazard}",
        )
