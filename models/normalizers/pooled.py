"""Input normalizers with statistics over the training rows of all members."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from foldproof.models.normalizers.scaling import fitted_cells, in_blocks, root, scaled
from foldproof.models.normalizers.variant import Scaled

MAD_TO_SD = 1.4826
"""Standard deviation of a normal distribution per median absolute deviation."""


@dataclass(frozen=True)
class ZScore:
    """(x - mean) / sd per feature, fitted on the training rows (qlib ZScoreNorm)."""

    def fit(self, values: Tensor, member: Tensor, rows: range) -> dict[str, Tensor]:
        """Mean and sd, each (F,) float64, of the members' finite cells at ``rows``.

        Raises:
            ValueError: A feature has no such cell.
        """
        cells = fitted_cells(values, member, rows)
        known = cells.isfinite()
        count = known.sum(dim=0)
        center = torch.where(known, cells, 0.0).sum(dim=0) / count
        squares = torch.where(known, cells - center, 0.0).square().sum(dim=0)
        return {"center": center, "spread": root(squares / count)}

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F), members and non-members."""
        center, spread = state["center"], state["spread"]
        return in_blocks(lambda block, _: scaled(block, center, spread), values, member, dim=0)


@dataclass(frozen=True)
class RobustZScore:
    """(x - median) / (1.4826 MAD) per feature, clipped (qlib RobustZScoreNorm).

    Trap: if more than half the cells of a feature are equal, its MAD is 0 and it becomes 0.
    """

    clip: float = 3.0

    def fit(self, values: Tensor, member: Tensor, rows: range) -> dict[str, Tensor]:
        """Median and scaled MAD, each (F,) float64, of the members' finite cells at ``rows``.

        Raises:
            ValueError: A feature has no such cell.
        """
        cells = fitted_cells(values, member, rows).numpy(force=True)
        center = np.nanmedian(cells, axis=0)
        spread = MAD_TO_SD * np.nanmedian(np.abs(cells - center), axis=0)
        return {"center": torch.from_numpy(center), "spread": torch.from_numpy(spread)}

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F) and clip; the slope of a clipped cell is 0."""

        def clipped(block: Tensor, _: Tensor) -> Scaled:
            wide = scaled(block, state["center"], state["spread"])
            inside = wide.values.abs() <= self.clip
            return Scaled(wide.values.clamp(-self.clip, self.clip), wide.slope * inside)

        return in_blocks(clipped, values, member, dim=0)


@dataclass(frozen=True)
class FullSampleZScore(ZScore):
    """The z-score fitted on all rows, including the test block: a leak on purpose."""

    def fit(self, values: Tensor, member: Tensor, rows: range) -> dict[str, Tensor]:
        """As :meth:`ZScore.fit`, but on all rows instead of ``rows``."""
        return super().fit(values, member, range(len(values)))
