"""The Prefect task of this step. The rank ICs of the same networks are found by their key."""

from pathlib import Path
from typing import Any

import pandas as pd
from prefect import task

from foldproof.tasks.compare.cube import Parts
from foldproof.tasks.data import load
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.decompose.prices import industries_of
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.decompose.task import forecasts_key
from foldproof.tasks.panel_study.networks import NetworkScores, network_scores
from foldproof.tasks.task import ENCODED, kept_under
from foldproof.tasks.version import code_version


def scores_key(_: Any, parameters: dict[str, Any]) -> str:
    """Cache key of the rank ICs of networks."""
    return forecasts_key("networks", parameters, code_version(__name__))


@task(
    name="score networks",
    persist_result=True,
    result_serializer=ENCODED,
    cache_policy=kept_under(scores_key),
)
def score_networks(
    forecasts: pd.DataFrame | Parts,
    panel: Path,
    data: DataSpec,
    spec: DecompositionSpec,
) -> NetworkScores:
    """Daily rank ICs of every network, before and after neutralization."""
    return network_scores(forecasts, load(panel), industries_of(rows_of(panel, data)), spec)
