"""Input normalizers that compare each cell with its own past, regardless of membership.

No value may depend on later rows, not even in its last bit: sums restart in fixed blocks of rows,
and each shift against cancellation is a value from the summed rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from foldproof.models.normalizers.scaling import (
    CELLS,
    RANK_SCALE,
    NothingToFit,
    in_blocks,
    root,
    scaled,
)
from foldproof.models.normalizers.variant import Axis, Scaled
from foldproof.models.spec import Interval


class Moments(NamedTuple):
    """Number, mean and sum of squared deviations of the finite cells of some rows."""

    n: Tensor
    mean: Tensor
    squares: Tensor


def merged(one: Moments, other: Moments) -> Moments:
    """Moments of both sets of rows together (Chan, Golub & LeVeque 1979)."""
    n = one.n + other.n
    share = other.n / n.clamp_min(1)
    gap = other.mean - one.mean
    squares = one.squares + other.squares + gap.square() * one.n * share
    return Moments(n, one.mean + gap * share, squares)


def running(blocks: Tensor) -> Moments:
    """Moments of rows 0..k of each block, for every k, along dimension 1.

    Values are shifted by the block's first finite value. It is one of the summed values, so the
    rounding error is at most about n^2 float64 epsilons, whatever the offset of the data.

    Args:
        blocks: (N, w, ...) float64; NaN is skipped.
    """
    finite = blocks.isfinite()
    first = blocks.gather(1, finite.byte().argmax(dim=1, keepdim=True))
    apart = torch.where(finite, blocks - first, 0.0)
    n = finite.cumsum(dim=1).double()
    total = apart.cumsum(dim=1)
    mean = total / n.clamp_min(1)
    squares = (apart.square().cumsum(dim=1) - total * mean).clamp_min(0)
    return Moments(n, torch.where(n > 0, first + mean, 0.0), squares)


def rolling(values: Tensor, window: int) -> Moments:
    """Moments of the last ``window`` rows, today's included, at every row.

    Two-block scheme (van Herk 1992): a window is the end of one block of ``window`` rows and the
    start of the next, so no sum has terms subtracted and there is no loop over rows.

    Args:
        values: (D, S, F) float64.
        window: Rows, at least 2.
    """
    rows = len(values)
    padding = values.new_full((-rows % window, *values.shape[1:]), torch.nan)
    blocks = torch.cat([values, padding]).unflatten(0, (-1, window))  # (N, w, S, F)
    heads = running(blocks)
    tails = (_previous(moment.flip(1)) for moment in running(blocks.flip(1)))
    both = merged(Moments(*tails), heads)
    return Moments(*(moment.flatten(0, 1)[:rows] for moment in both))


def _previous(tails: Tensor) -> Tensor:
    """(N, w, ...) with entry (n - 1, k + 1) at (n, k); 0 where there is none."""
    shifted = torch.zeros_like(tails)
    shifted[1:, :-1] = tails[:-1, 1:]
    return shifted


@dataclass(frozen=True)
class RollingZScore(NothingToFit):
    """(x - mean) / sd over the stock's last ``window`` rows, today included.

    NaN until ``minimum`` of them are finite. Equal to pandas' rolling with ddof=0.
    """

    independent: ClassVar[Axis] = "symbols"
    window: int = 252
    minimum: int = 63

    def __post_init__(self) -> None:
        Interval(2).check("window", self.window)

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is (D, S, F)."""
        return in_blocks(self._normalized, values, member, dim=1)

    def _normalized(self, values: Tensor, member: Tensor) -> Scaled:
        past = rolling(values.double(), self.window)
        center = torch.where(past.n >= self.minimum, past.mean, torch.nan)
        return scaled(values, center, root(past.squares / past.n.clamp_min(1)))


@dataclass(frozen=True)
class EwmZScore(NothingToFit):
    """(x - m) / sqrt(v), m and v exponentially weighted over strictly earlier rows.

    Weights halve every ``half_life`` rows, missing rows included, and sum to 1. NaN until
    ``minimum`` earlier rows are finite. Equal to pandas' ewm(halflife, bias=True), shifted by one.
    """

    independent: ClassVar[Axis] = "symbols"
    half_life: float = 63.0
    minimum: int = 21

    def __post_init__(self) -> None:
        Interval(0, open_low=True).check("half_life", self.half_life)

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is (D, S, F)."""
        # the recursion walks the rows of each block: fewer, larger blocks
        return in_blocks(self._normalized, values, member, dim=1, cells=8 * CELLS)

    def _normalized(self, values: Tensor, member: Tensor) -> Scaled:
        center, variance = earlier(values.double(), 0.5 ** (1 / self.half_life), self.minimum)
        return scaled(values, center, root(variance))


@dataclass(frozen=True)
class VolatilityScaled(EwmZScore):
    """x / sqrt(v), v the exponentially weighted mean of x^2 over strictly earlier rows.

    The RiskMetrics forecast of volatility (J.P. Morgan 1996), which takes the mean as 0; their
    decay 0.94 is a half-life of 11.2 rows. For features that are returns.
    """

    half_life: float = 11.2

    def _normalized(self, values: Tensor, member: Tensor) -> Scaled:
        mean, variance = earlier(values.double(), 0.5 ** (1 / self.half_life), self.minimum)
        zero = torch.where(mean.isfinite(), 0.0, torch.nan)
        return scaled(values, zero, root(variance + mean.square()))


@dataclass(frozen=True)
class RollingRank(RollingZScore):
    """(rank / count - 0.5) * 3.46 of today's value among the stock's last ``window`` rows.

    Average rank for ties; the slope is 1, per unit of rank. NaN until ``minimum`` rows are finite.
    Equal to pandas' rolling rank.
    """

    def _normalized(self, values: Tensor, member: Tensor) -> Scaled:
        parts = []
        for past in last_rows(values, self.window):
            today = past[..., -1:]
            below, upto = (past < today).sum(dim=-1), (past <= today).sum(dim=-1)
            count = past.isfinite().sum(dim=-1)
            rank = (below + upto + 1).double() / 2
            known = today.squeeze(-1).isfinite() & (count >= self.minimum)
            centered = (rank / count - 0.5) * RANK_SCALE
            parts.append(torch.where(known, centered, torch.nan).to(values.dtype))
        return Scaled(torch.cat(parts), torch.ones(1))


def last_rows(values: Tensor, window: int) -> Iterator[Tensor]:
    """The last ``window`` rows at every row, oldest first; NaN before the first row.

    Yields:
        (d, S, F, window) for consecutive pieces of the rows, so that memory stays bounded.
    """
    padding = values.new_full((window - 1, *values.shape[1:]), torch.nan)
    past = torch.cat([padding, values]).unfold(0, window, 1)
    rows = max(1, 8 * CELLS // max(1, past[0].numel()))
    yield from past.split(rows)


def earlier(values: Tensor, decay: float, minimum: int) -> tuple[Tensor, Tensor]:
    """Exponentially weighted mean and variance of strictly earlier rows.

    The recursion of West (1979) for weighted moments, decayed once a row.

    Args:
        values: (D, S, F) float64; NaN is skipped.
        decay: Weight lost per row, in (0, 1).
        minimum: With fewer finite earlier rows the mean is NaN.
    """
    finite = values.isfinite()
    filled = torch.where(finite, values, 0.0)
    centers, variances = [], []
    weight, mean, squares = (torch.zeros_like(values[0]) for _ in range(3))
    for present, value in zip(finite.double(), filled, strict=True):
        centers.append(mean)
        variances.append(squares / weight.clamp_min(torch.finfo(values.dtype).tiny))
        carried = decay * weight
        weight = carried + present
        share = present / weight.clamp_min(torch.finfo(values.dtype).tiny)
        gap = value - mean
        squares = decay * squares + carried * share * gap.square()
        mean = mean + share * gap
    count = finite.cumsum(dim=0) - finite.long()
    return torch.where(count >= minimum, torch.stack(centers), torch.nan), torch.stack(variances)
