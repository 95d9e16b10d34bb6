"""How much leak audit an experiment asks for."""

from dataclasses import dataclass

from models.spec import STRICT, require


@dataclass(frozen=True)
class AuditSpec:
    """The exact leak tests of every comparison."""

    __pydantic_config__ = STRICT

    cuts: int = 3
    """Dates in each test block after which everything is changed (serve invariance)."""
    feature_cuts: int = 20
    """The same for the features, over the whole panel."""
    retrain_folds: int = 1
    """Folds on which each variant is trained again on a changed future (train invariance)."""

    def __post_init__(self) -> None:
        for name in ("cuts", "feature_cuts"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1; it is {value}")
        require(self.retrain_folds >= 0, f"retrain_folds must be >= 0; it is {self.retrain_folds}")
