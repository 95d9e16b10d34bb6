"""The Prefect task of this step. A comparison of the same forecasts is found by its key."""

from dataclasses import asdict
from typing import Any

import pandas as pd
from prefect import task

from foldproof.tasks.compare.comparison import Comparison, compare
from foldproof.tasks.compare.cube import Parts, forecasts_hash
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.task import ENCODED, kept_under
from foldproof.tasks.train import digest
from foldproof.tasks.version import code_version


def comparison_key(_: Any, parameters: dict[str, Any]) -> str:
    """Prefect's cache key of a comparison: forecasts, settings, candidates and code."""
    rows = forecasts_hash(parameters["forecasts"])
    settings = parameters["horizon"], asdict(parameters["spec"]), sorted(parameters["outside"])
    return f"compare-{digest(rows, settings, code_version(__name__))}"


@task(
    name="compare forecasts",
    persist_result=True,
    result_serializer=ENCODED,
    cache_policy=kept_under(comparison_key),
)
def compare_forecasts(
    forecasts: pd.DataFrame | Parts, horizon: int, spec: StatisticsSpec, outside: set[str]
) -> Comparison:
    """Scores, joint intervals, paired differences and the confidence set without ``outside``."""
    return compare(forecasts, horizon, spec, outside)
