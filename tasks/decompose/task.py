"""The Prefect task of this step. A decomposition of the same forecasts is found by its key."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import task

from foldproof.tasks.compare.aligned import Aligned, aligned_of
from foldproof.tasks.compare.cube import Parts, cube_of, forecasts_hash
from foldproof.tasks.compare.seeds import without_each_seed
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.data import load
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.data.spec import DataSpec, TargetSpec
from foldproof.tasks.decompose.decompose import Decomposition, decompose
from foldproof.tasks.decompose.prices import closes_of, industries_of
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.task import ENCODED, kept_under
from foldproof.tasks.train import PREFIX, digest
from foldproof.tasks.train.unit import ranges
from foldproof.tasks.version import code_version

KEYED: dict[str, Callable[[Any], Any]] = {
    "forecasts": forecasts_hash,
    "panel": lambda path: Path(path).name,
    "data": lambda data: data.fill_limit,
    "folds": lambda folds: [ranges(fold) for fold in folds],
    "outside": sorted,
}
"""What decides the result of an analysis of all forecasts, by parameter; of settings, all of it."""


def forecasts_key(step: str, parameters: Mapping[str, Any], code: str) -> str:
    """Cache key of an analysis of all forecasts.

    Args:
        step: Its name.
        parameters: What its task was given: the entries of ``KEYED`` and settings.
        code: Version of its code.
    """
    decides = {name: KEYED.get(name, asdict)(value) for name, value in parameters.items()}
    return f"{step}-{digest(decides, code)}"


def decomposition_key(_: Any, parameters: dict[str, Any]) -> str:
    """Cache key of a decomposition."""
    return forecasts_key("decompose", parameters, code_version(__name__))


def candidates_of(aligned: Aligned, outside: Collection[str]) -> list[str]:
    """The variants that may be the best: neither references nor ``outside``."""
    own = [name for name in aligned.variants if not name.startswith(PREFIX)]
    return [name for name in own if name not in outside]


@task(
    name="decompose rank IC",
    persist_result=True,
    result_serializer=ENCODED,
    cache_policy=kept_under(decomposition_key),
)
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
    """Styles, single features, regimes, horizons and delays; ``outside`` are no candidates."""
    cube, rows = cube_of(forecasts), rows_of(panel, data)
    aligned = aligned_of(cube)
    return decompose(
        aligned,
        load(panel),
        folds,
        candidates_of(aligned, outside),
        target.horizon,
        delisting_return=target.delisting_return,
        closes=closes_of(rows, data.fill_limit),
        industries=industries_of(rows),
        without=without_each_seed(cube, aligned),
        statistics=statistics,
        spec=spec,
    )
