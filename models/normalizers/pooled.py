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

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
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

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
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

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
        """Minimum and range, each (F,) float64, of the members' finite cells at ``rows``.

        Raises:
            ValueError: A feature has no such cell.
        """
        return by_feature(lowest_and_range, values, member, rows)


@dataclass(frozen=True)
class Arcsinh(ZScore):
    """asinh((x - mean) / sd), fitted on the training rows (Johnson 1949; Burbidge et al. 1988).

    It is linear near the mean and logarithmic in the tails, so outliers of both signs are damped
    and keep their order: 10 sd become 3.
    """

    independent: ClassVar[Axis] = "dates"

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is (D, S, F)."""

        def normalized(block: Tensor, _: Tensor) -> Scaled:
            z = scaled(block, state["center"], state["spread"])
            return Scaled(z.values.asinh(), z.slope / (z.values.square() + 1).sqrt().nan_to_num(1))

        return in_blocks(normalized, values, member, dim=0)


@dataclass(frozen=True)
class QuantileNormal:
    """Phi^-1(F(x)), F the distribution of the training rows (scikit-learn QuantileTransformer).

    F is linear between ``count`` quantiles, and in the middle of its jump at a tied value. All
    training cells are used; scikit-learn's default draws 10,000 of them.

    Trap: values outside the training range are at the bounds, 5.2 from the median.
    """

    independent: ClassVar[Axis] = "dates"
    TAIL: ClassVar[float] = 1e-7
    """The smallest probability, as in scikit-learn."""
    count: int = 1000

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
        """Quantiles (F, count) float64, increasing, of the members' finite cells at ``rows``.

        Raises:
            ValueError: A feature has no such cell.
        """
        return by_feature(self._quantiles, values, member, rows)

    def _quantiles(self, cells: Tensor) -> dict[str, Tensor]:
        """Of the finite cells (N, F)."""
        places, columns = np.linspace(0, 1, self.count), cells.numpy(force=True).T
        found = np.stack([np.quantile(one[~np.isnan(one)], places) for one in columns])
        # rounding may turn equal quantiles around
        return {"quantiles": torch.from_numpy(np.maximum.accumulate(found, axis=1))}

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is (D, S, F), 0 at the bounds."""
        quantiles = state["quantiles"].contiguous()
        return in_blocks(lambda block, _: self._normalized(block, quantiles), values, member, dim=0)

    def _normalized(self, values: Tensor, quantiles: Tensor) -> Scaled:
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
