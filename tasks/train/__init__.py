"""Train one unit (variant x fold x seed) and score with it; reference forecasters to compare."""

from foldproof.tasks.train.inputs import (
    TrainingError,
    fit_statistics,
    normalized,
    unit_windows,
)
from foldproof.tasks.train.references import PREFIX, REFERENCES, Reference, reference_forecasts
from foldproof.tasks.train.train import (
    fit_unit,
    forecasts_of,
    network_of,
    score,
    train_unit,
)
from foldproof.tasks.train.unit import TrainedUnit, Unit, digest, units_key, variant_version
from foldproof.tasks.version import HOUSE, code_version

__all__ = [
    "HOUSE",
    "PREFIX",
    "REFERENCES",
    "Reference",
    "TrainedUnit",
    "TrainingError",
    "Unit",
    "code_version",
    "digest",
    "fit_statistics",
    "fit_unit",
    "forecasts_of",
    "network_of",
    "normalized",
    "reference_forecasts",
    "score",
    "train_unit",
    "unit_windows",
    "units_key",
    "variant_version",
]
