"""Align forecasts on common cells: the dates x symbols that every variant scored, seed means."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.compare.cube import Cube, Tables, cube_of
from foldproof.tasks.statistics.rank_ic import LEAST_NAMES
from foldproof.tasks.train import PREFIX


class NothingCommon(ValueError):
    """No date can be ranked on the symbols that all variants forecast; counts the cells of each."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """Forecasts of V variants on the dates x symbols that all of them scored; NaN elsewhere.

    Every date has at least three names, and targets that differ.

    Attributes:
        dates: (D,) datetime64, increasing.
        symbols: (S,) names.
        folds: (D,) the fold whose test block holds the date; 0 if the table has no folds.
        variants: V names, in the order of the table.
        target: (D, S).
        forecasts: (V, D, S), mean over seeds.
        coverage: (V,) share of the variant's scored cells that are compared.
    """

    dates: np.ndarray
    symbols: np.ndarray
    folds: np.ndarray
    variants: tuple[str, ...]
    target: np.ndarray
    forecasts: np.ndarray
    coverage: np.ndarray

    def candidates(self, outside: Collection[str] = ()) -> list[str]:
        """The variants that may be the best: neither references nor ``outside``."""
        own = [name for name in self.variants if not name.startswith(PREFIX)]
        return [name for name in own if name not in outside]


def align(forecasts: pd.DataFrame | Tables) -> Aligned:
    """Align long tables of forecasts on common cells.

    A cell counts for a variant if all its seeds forecast it and its target is known.

    Args:
        forecasts: date, symbol, variant, forecast, target; fold, seed and plan are optional.

    Raises:
        NothingCommon: No cell is common to all.
        ValueError: Columns are missing, forecasts are infinite or duplicated, variants disagree on
            a target, plans differ, or a date is in two folds.
    """
    return aligned_of(cube_of(forecasts))


def aligned_of(cube: Cube) -> Aligned:
    """The common cells of a cube; raises NothingCommon."""
    mean = np.stack([cube.mean(variant) for variant in cube.seeds])
    scored = np.isfinite(mean) & np.isfinite(cube.target)
    common = rankable(scored.all(axis=0), cube.target)
    if not common.any():
        cells = dict(zip(cube.seeds, scored.sum(axis=(1, 2)), strict=True))
        counts = ", ".join(f"{name} {count}" for name, count in cells.items())
        raise NothingCommon(
            f"no date has {LEAST_NAMES} symbols with different targets that all variants forecast: "
            f"{counts}. Leave out the variant with too few forecasts"
        )
    rows, columns = common.any(axis=1), common.any(axis=0)
    keep = np.ix_(rows, columns)
    return Aligned(
        dates=np.asarray(cube.dates)[rows],
        symbols=np.asarray(cube.symbols)[columns],
        folds=cube.folds[rows],
        variants=tuple(map(str, cube.seeds)),
        target=np.where(common, cube.target, np.nan)[keep],
        forecasts=np.where(common, mean, np.nan)[:, rows][:, :, columns],
        coverage=common.sum() / np.maximum(scored.sum(axis=(1, 2)), 1),
    )


def rankable(common: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(D, S) bool: the common cells on dates with enough symbols and different targets."""
    low = np.where(common, target, np.inf).min(axis=1)
    high = np.where(common, target, -np.inf).max(axis=1)
    return common & ((common.sum(axis=1) >= LEAST_NAMES) & (high > low))[:, None]
