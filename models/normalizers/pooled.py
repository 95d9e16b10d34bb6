"""Input normalizers with statistics over the training rows of all members."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from foldproof.models.date_rows import Rows
from foldproof.models.normalizers.scaling import (
    MAD_TO_SD,
    ByDate,
    by_feature,
    clipped,
    root,
    scaled,
)
from foldproof.models.normalizers.variant import Scaled


class Fitted(ByDate):
    """Base of the input normalizers that are fitted on the training rows."""

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
        """Statistics of each feature, float64, of the members' finite cells at ``rows``.

        Raises:
            ValueError: A feature has no such cell.
        """
        return by_feature(self._statistics, values, member, rows)

    def _statistics(self, cells: Tensor) -> dict[str, Tensor]:
        """Of the cells (N, F); NaN does not count."""
        raise NotImplementedError


@dataclass(frozen=True)
class ZScore(Fitted):
    """(x - mean) / sd per feature, fitted on the training rows (qlib ZScoreNorm)."""

    def _statistics(self, cells: Tensor) -> dict[str, Tensor]:
        known = cells.isfinite()
        count = known.sum(dim=0)
        center = torch.where(known, cells, 0.0).sum(dim=0) / count
        squares = torch.where(known, cells - center, 0.0).square().sum(dim=0)
        return {"center": center, "spread": root(squares / count)}

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        return scaled(values, state["center"], state["spread"])


@dataclass(frozen=True)
class RobustZScore(ZScore):
    """(x - median) / (1.4826 MAD) per feature, clipped (qlib RobustZScoreNorm).

    Trap: if more than half the cells of a feature are equal, its MAD is 0 and it becomes 0.
    """

    clip: float = 3.0

    def _statistics(self, cells: Tensor) -> dict[str, Tensor]:
        known = cells.numpy(force=True)
        center = np.nanmedian(known, axis=0)
        spread = MAD_TO_SD * np.nanmedian(np.abs(known - center), axis=0)
        return {"center": torch.from_numpy(center), "spread": torch.from_numpy(spread)}

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F) and clip; the slope of a clipped cell is 0."""
        return clipped(super()._normalized(values, member, state), self.clip)


@dataclass(frozen=True)
class MinMax(ZScore):
    """(x - min) / (max - min) per feature of the training rows (qlib MinMaxNorm).

    Training values lie in [0, 1]. Later values may lie outside: they are not clipped.
    """

    def _statistics(self, cells: Tensor) -> dict[str, Tensor]:
        lowest = cells.nan_to_num(nan=torch.inf).amin(dim=0)
        highest = cells.nan_to_num(nan=-torch.inf).amax(dim=0)
        return {"center": lowest, "spread": highest - lowest}


@dataclass(frozen=True)
class Arcsinh(ZScore):
    """asinh((x - mean) / sd), fitted on the training rows (Johnson 1949; Burbidge et al. 1988).

    It is linear near the mean and logarithmic in the tails, so outliers of both signs are damped
    and keep their order: 10 sd become 3.
    """

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is (D, S, F)."""
        z = super()._normalized(values, member, state)
        return Scaled(z.values.asinh(), z.slope / (z.values.square() + 1).sqrt().nan_to_num(1))


@dataclass(frozen=True)
class QuantileNormal(Fitted):
    """Phi^-1(F(x)), F the distribution of the training rows (scikit-learn QuantileTransformer).

    F is linear between ``count`` quantiles, and in the middle of its jump at a tied value. All
    training cells are used; scikit-learn's default draws 10,000 of them.

    Trap: values outside the training range are at the bounds, 5.2 from the median.
    """

    TAIL: ClassVar[float] = 1e-7
    """The smallest probability, as in scikit-learn."""
    count: int = 1000

    def _statistics(self, cells: Tensor) -> dict[str, Tensor]:
        """Quantiles (F, count), increasing."""
        places, columns = np.linspace(0, 1, self.count), cells.numpy(force=True).T
        found = np.stack([np.quantile(one[~np.isnan(one)], places) for one in columns])
        # rounding may turn equal quantiles around
        return {"quantiles": torch.from_numpy(np.maximum.accumulate(found, axis=1))}

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is (D, S, F), 0 at the bounds."""
        quantiles = state["quantiles"].contiguous()
        x = values.double().flatten(0, 1).T.contiguous()  # (F, D * S)
        lowest, highest = quantiles[:, :1], quantiles[:, -1:]
        top = quantiles.shape[1] - 1
        above = torch.searchsorted(quantiles, x.detach(), right=True).clamp(1, top)
        below = torch.searchsorted(quantiles, x.detach()).clamp(1, top)
        probability, slope = torch.zeros_like(x), torch.zeros_like(x)
        for end in (above, below):  # the steps after and before a tied value
            start = quantiles.gather(1, end - 1)
            width = quantiles.gather(1, end) - start
            rise = torch.where(width > 0, 1 / torch.where(width > 0, width, 1.0), 0.0) / top / 2
            probability = probability + (end - 1).double() / top / 2 + (x - start) * rise
            slope = slope + rise
        constant = (highest <= lowest).expand_as(x)
        probability = torch.where(x >= highest, 1.0, torch.where(x <= lowest, 0.0, probability))
        probability = torch.where(constant, 0.5, probability)
        inside = ~constant & (probability > self.TAIL) & (probability < 1 - self.TAIL)
        z = torch.special.ndtri(probability.clamp(self.TAIL, 1 - self.TAIL))
        density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
        slope = torch.where(inside, slope / density, 0.0)
        z = torch.where(x.isnan(), torch.nan, z)
        shape, kind = values.shape, values.dtype
        return Scaled(*(each.T.reshape(shape).to(kind) for each in (z, slope)))


@dataclass(frozen=True)
class FullSampleZScore(ZScore):
    """The z-score fitted on all rows, including the test block: a leak on purpose."""

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
        """As :meth:`ZScore.fit`, but on all rows instead of ``rows``."""
        return super().fit(values, member, range(len(values)))
