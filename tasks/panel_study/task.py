"""The Prefect task of this step. The rank ICs of the same networks are found by their key."""

from pathlib import Path

import pandas as pd

from foldproof.tasks.compare.cube import Parts
from foldproof.tasks.compare.task import forecasts_key
from foldproof.tasks.data import load
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.decompose.prices import industries_of
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.panel_study.networks import NetworkScores, network_scores
from foldproof.tasks.task import kept_task


@kept_task(forecasts_key("networks", __name__), name="score networks")
def score_networks(
    forecasts: pd.DataFrame | Parts,
    panel: Path,
    data: DataSpec,
    spec: DecompositionSpec,
) -> NetworkScores:
    """Daily rank ICs of every network, before and after neutralization."""
    return network_scores(forecasts, load(panel), industries_of(rows_of(panel, data)), spec)
