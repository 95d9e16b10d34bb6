"""Input normalizers with statistics over the training rows of all members."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from foldproof.models.normalizers.scaling import (
    MAD_TO_SD,
    by_feature,
    clipped,
    in_blocks,
    root,
    scaled,
)
from foldproof.models.normalizers.variant import Axis, Scaled


@dataclass(frozen=True)
class ZScore:
    """(x - mean) / sd per feature, fitted on the training rows (qlib ZScoreNorm)."""

    independent: ClassVar[Axis] = "dates"

    def fit(self, values: Tensor, member: Tensor, rows: range) -> dict[str, Tensor]:
        """Mean and sd, each (F,) float64, of the members' finite cells at ``rows``.

        Raises:
            ValueError: A feature has no such cell.
        """
        return by_feature(mean_and_sd, values, member, rows)

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F), members and non-members."""
        center, spread = state["center"], state["spread"]
        return in_blocks(lambda block, _: scaled(block, center, spread), values, member, dim=0)


@dataclass(frozen=True)
class RobustZScore:
    """(x - median) / (1.4826 MAD) per feature, clipped (qlib RobustZScoreNorm).

    Trap: if more than half the cells of a feature are equal, its MAD is 0 and it becomes 0.
    """

    independent: ClassVar[Axis] = "dates"
    clip: float = 3.0

    def fit(self, values: Tensor, member: Tensor, rows: range) -> dict[str, Tensor]:
        """Median and scaled MAD, each (F,) float64, of the members' finite cells at ``rows``.

        Raises:
            ValueError: A feature has no such cell.
        """
        return by_feature(median_and_mad, values, member, rows)

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F) and clip; the slope of a clipped cell is 0."""

        def normalized(block: Tensor, _: Tensor) -> Scaled:
            return clipped(scaled(block, state["center"], state["spread"]), self.clip)

        return in_blocks(normalized, values, member, dim=0)


@dataclass(frozen=True)
class MinMax(ZScore):
    """(x - min) / (max - min) per feature of the training rows (qlib MinMaxNorm).

    Training values lie in [0, 1]. Later values may lie outside: they are not clipped.
    """

    def fit(self, values: Tensor, member: Tensor, rows: range) -> dict[str, Tensor]:
        """Minimum and range, each (F,) float64, of the members' finite cells at ``rows``.

        Raises:
            ValueError: A feature has no such cell.
        """
        return by_feature(lowest_and_range, values, member, rows)


@dataclass(frozen=True)
class FullSampleZScore(ZScore):
    """The z-score fitted on all rows, including the test block: a leak on purpose."""

    def fit(self, values: Tensor, member: Tensor, rows: range) -> dict[str, Tensor]:
        """As :meth:`ZScore.fit`, but on all rows instead of ``rows``."""
        return super().fit(values, member, range(len(values)))


def mean_and_sd(cells: Tensor) -> dict[str, Tensor]:
    """Mean and sd, each (F,), of the finite cells (N, F)."""
    known = cells.isfinite()
    count = known.sum(dim=0)
    center = torch.where(known, cells, 0.0).sum(dim=0) / count
    squares = torch.where(known, cells - center, 0.0).square().sum(dim=0)
    return {"center": center, "spread": root(squares / count)}


def median_and_mad(cells: Tensor) -> dict[str, Tensor]:
    """Median and scaled MAD, each (F,), of the finite cells (N, F)."""
    known = cells.numpy(force=True)
    center = np.nanmedian(known, axis=0)
    spread = MAD_TO_SD * np.nanmedian(np.abs(known - center), axis=0)
    return {"center": torch.from_numpy(center), "spread": torch.from_numpy(spread)}


def lowest_and_range(cells: Tensor) -> dict[str, Tensor]:
    """Minimum and range, each (F,), of the finite cells (N, F)."""
    lowest = cells.nan_to_num(nan=torch.inf).amin(dim=0)
    highest = cells.nan_to_num(nan=-torch.inf).amax(dim=0)
    return {"center": lowest, "spread": highest - lowest}
