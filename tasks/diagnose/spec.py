"""How much leak audit an experiment asks for."""

from dataclasses import dataclass

from foldproof.models.spec import Spec, at_least, within


@dataclass(frozen=True)
class AuditSpec(Spec):
    """The exact leak tests of every comparison."""

    __bounds__ = (
        at_least(1, "cuts", "feature_cuts", "forecast_cuts", "rows")
        | at_least(0, "retrain_folds", "placebo")
        | within("(0, 1)", "hazard")
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
