"""The Prefect task of this step. A comparison of the same forecasts is found by its key."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from foldproof.tasks.compare.comparison import Comparison, compare
from foldproof.tasks.compare.cube import Parts, forecasts_hash
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.task import kept_task
from foldproof.tasks.train import digest
from foldproof.tasks.train.unit import ranges
from foldproof.tasks.version import code_version

KEYED: dict[str, Callable[[Any], Any]] = {
    "forecasts": forecasts_hash,
    "horizon": int,
    "panel": lambda path: Path(path).name,
    "data": lambda data: data.fill_limit,
    "folds": lambda folds: [ranges(fold) for fold in folds],
    "outside": sorted,
}
"""What decides the result of an analysis of all forecasts, by parameter; of settings, all of it."""


def forecasts_key(step: str, module: str) -> Callable[[Any, dict[str, Any]], str]:
    """The cache key of an analysis of all forecasts: its parameters and the code of ``module``."""

    def key(_: Any, parameters: dict[str, Any]) -> str:
        decides = {name: KEYED.get(name, asdict)(value) for name, value in parameters.items()}
        return f"{step}-{digest(decides, code_version(module))}"

    return key


@kept_task(forecasts_key("compare", __name__), name="compare forecasts")
def compare_forecasts(
    forecasts: pd.DataFrame | Parts, horizon: int, spec: StatisticsSpec, outside: set[str]
) -> Comparison:
    """Scores, joint intervals, paired differences and the confidence set without ``outside``."""
    return compare(forecasts, horizon, spec, outside)
