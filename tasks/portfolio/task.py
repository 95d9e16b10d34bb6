"""The Prefect task of this step. Portfolios of the same forecasts are found by their key."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from foldproof.tasks.compare.aligned import Aligned, aligned_of
from foldproof.tasks.compare.cube import Parts, Tables, cube_of
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.compare.task import forecasts_key
from foldproof.tasks.data import load
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.data.spec import DataSpec, TargetSpec
from foldproof.tasks.decompose.prices import closes_of
from foldproof.tasks.decompose.rows import decomposed_rows, places
from foldproof.tasks.portfolio.portfolio import Portfolios, simulate
from foldproof.tasks.portfolio.spec import PortfolioSpec
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.task import kept_task


def align_all(forecasts: pd.DataFrame | Tables) -> Aligned:
    """Forecasts on common cells, labelled or not.

    A portfolio buys a stock before anybody knows whether it will have a label: stocks that are
    delisted within the horizon count. The target is replaced by the stock's number.
    """
    cube = cube_of(forecasts)
    numbers = np.arange(len(cube.symbols), dtype=float)
    return aligned_of(replace(cube, target=np.broadcast_to(numbers, cube.target.shape)))


@kept_task(forecasts_key("portfolio", __name__), name="simulate portfolios")
def simulate_portfolios(
    forecasts: pd.DataFrame | Parts,
    panel: Path,
    data: DataSpec,
    folds: tuple[Fold, ...],
    target: TargetSpec,
    statistics: StatisticsSpec,
    spec: PortfolioSpec,
    outside: Collection[str],
) -> Portfolios | None:
    """Books of every row of the decomposition; None without prices or with too few days."""
    closes = closes_of(rows_of(panel, data), data.fill_limit)
    if closes is None:
        return None
    content, aligned = load(panel), align_all(forecasts)
    return simulate(
        decomposed_rows(aligned, content, folds, aligned.candidates(outside)),
        closes,
        *places(aligned, content),
        content.dates,
        target.horizon,
        delisting_return=target.delisting_return or 0.0,
        statistics=statistics,
        spec=spec,
    )
