"""The Prefect tasks of this step. Finished units are found by their key and not trained again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from foldproof.tasks.data import load
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.task import kept, kept_task
from foldproof.tasks.timing import Timed, timed
from foldproof.tasks.train.references import reference_forecasts
from foldproof.tasks.train.train import train_unit
from foldproof.tasks.train.unit import TrainedUnit, Unit, digest, file_name, ranges
from foldproof.tasks.version import code_version


def unit_key(_: Any, parameters: dict[str, Any]) -> str:
    """Cache key of a trained unit."""
    return f"train-{parameters['unit'].key}"


def reference_key(_: Any, parameters: dict[str, Any]) -> str:
    """Cache key of a reference's forecasts."""
    fold, code = parameters["fold"], code_version("foldproof.tasks.train.references")
    decides = [parameters["window"], parameters["seed"], Path(parameters["panel"]).name, code]
    return (
        f"reference-{file_name(parameters['name'])}-f{fold.number}-{digest(ranges(fold), *decides)}"
    )


@kept_task(
    unit_key,
    name="train",
    tags=["train"],
    task_run_name="train {unit.variant} fold {unit.fold.number} seed {unit.seed}",
)
def train(unit: Unit, panel: Path) -> Timed[TrainedUnit]:
    """Train one unit and forecast its test block."""
    return timed(train_unit, unit, load(panel))


@kept_task(
    reference_key,
    name="reference",
    tags=["train"],
    task_run_name="reference {name} fold {fold.number}",
)
def forecast_reference(
    name: str, fold: Fold, window: int, seed: int, panel: Path
) -> Timed[pd.DataFrame]:
    """Forecast the fold's test block with a reference forecaster."""
    return timed(reference_forecasts, name, load(panel), fold, window, seed)


def without_forecasts(trained: TrainedUnit) -> TrainedUnit:
    """The unit as a flow holds it: all forecasts of a large comparison do not fit in memory."""
    return replace(trained, forecasts=pd.DataFrame())


def whole(trained: TrainedUnit) -> TrainedUnit:
    """The unit with its forecasts, which are read again if the flow holds it without them."""
    if len(trained.forecasts.columns):
        return trained
    found: Timed[TrainedUnit] = kept(f"train-{trained.unit.key}")
    return found.value


def reference_table(key: str) -> pd.DataFrame:
    """The forecasts that :func:`forecast_reference` has kept under ``key``."""
    found: Timed[pd.DataFrame] = kept(key)
    return found.value
