"""The Prefect task of this step. A comparison of the same forecasts is found by its key."""

from dataclasses import asdict
from hashlib import sha256
from typing import Any

import pandas as pd
from prefect import task

from foldproof.tasks.compare.comparison import Comparison, compare
from foldproof.tasks.compare.cube import Tables
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.train import digest
from foldproof.tasks.version import code_version


def table_hash(table: pd.DataFrame) -> str:
    """Hash of a table of forecasts: its rows in their order, and the names of its columns."""
    rows = sha256(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes()).hexdigest()
    return digest(rows, [*table])


def comparison_key(_: Any, parameters: dict[str, Any]) -> str:
    """Prefect's cache key of a comparison: forecasts, settings, candidates and code."""
    settings = parameters["horizon"], asdict(parameters["spec"]), sorted(parameters["outside"])
    return f"compare-{digest(parameters['hashes'], settings, code_version(__name__))}"


@task(name="compare forecasts", persist_result=True, cache_key_fn=comparison_key)
def compare_forecasts(
    forecasts: Tables, hashes: list[str], horizon: int, spec: StatisticsSpec, outside: set[str]
) -> Comparison:
    """Scores, joint intervals, paired differences and the confidence set without ``outside``.

    Args:
        forecasts: Tables of all units and references, in a fixed order.
        hashes: The :func:`table_hash` of each.
        horizon: Rows that a label spans.
        spec: How they are compared.
        outside: Variants that are no candidates.
    """
    return compare(forecasts, horizon, spec, outside)
