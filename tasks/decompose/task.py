"""The Prefect task of this step. A decomposition of the same forecasts is found by its key."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from foldproof.tasks.compare.aligned import aligned_of
from foldproof.tasks.compare.cube import Parts, cube_of
from foldproof.tasks.compare.seeds import without_each_seed
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.compare.task import forecasts_key
from foldproof.tasks.data import load
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.data.spec import DataSpec, TargetSpec
from foldproof.tasks.decompose.decompose import Decomposition, decompose
from foldproof.tasks.decompose.prices import closes_of, industries_of
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.task import kept_task


@kept_task(forecasts_key("decompose", __name__), name="decompose rank IC")
def decompose_forecasts(
    forecasts: pd.DataFrame | Parts,
    panel: Path,
    data: DataSpec,
    folds: tuple[Fold, ...],
    target: TargetSpec,
    statistics: StatisticsSpec,
    spec: DecompositionSpec,
    outside: Collection[str],
) -> Decomposition:
    """Styles, single features, regimes, horizons and delays; ``outside`` are not candidates."""
    cube, rows = cube_of(forecasts), rows_of(panel, data)
    aligned = aligned_of(cube)
    return decompose(
        aligned,
        load(panel),
        folds,
        aligned.candidates(outside),
        target.horizon,
        delisting_return=target.delisting_return,
        closes=closes_of(rows, data.fill_limit),
        industries=industries_of(rows),
        without=without_each_seed(cube, aligned),
        statistics=statistics,
        spec=spec,
    )
