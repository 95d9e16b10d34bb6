"""Input normalizers that compare each cell with its own past, regardless of membership.

The past begins anew after a symbol's dates without a row or value: it may be another company then.
No value may depend on later rows, not even in its last bit: sums restart in fixed blocks of rows,
and each shift against cancellation is a value from the summed rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from foldproof.models.date_rows import Rows, at
from foldproof.models.normalizers.scaling import (
    CELLS,
    MAD_TO_SD,
    RANK_SCALE,
    InParts,
    clipped,
    fitted_cells,
    in_blocks,
    root,
    scaled,
)
from foldproof.models.normalizers.variant import Axis, Scaled
from foldproof.models.spec import Interval


def stretches(values: Tensor, member: Tensor) -> Tensor:
    """(D, S) number of the stretch of each row of a symbol, from 0 on.

    A stretch ends where a symbol is not a member and has no value of any feature. The features of a
    panel are carried over short gaps, so such a gap is a long one.

    Args:
        values: (D, S, F).
        member: (D, S).
    """
    present = member.clone()
    for one in values.unbind(dim=2):  # in turn, so that no mask of all features is in memory
        present |= one.isfinite()
    began = present.clone()
    began[1:] &= ~present[:-1]
    return (began.cumsum(dim=0) - 1).clamp_min(0)


class Apart(NamedTuple):
    """Symbols in L columns, one for each stretch of a symbol.

    Attributes:
        symbol: (L,) the symbol of each column.
        own: (D, L) the rows of its stretch.
        column: (D, S) the column of each row of a symbol.
    """

    symbol: Tensor
    own: Tensor
    column: Tensor

    @classmethod
    def of(cls, values: Tensor, member: Tensor) -> "Apart | None":
        """The columns of a panel; None if no symbol has more than one stretch."""
        number = stretches(values, member)
        if not number.any():
            return None
        count = number[-1] + 1
        first = count.cumsum(dim=0) - count
        symbol = torch.arange(len(count), device=values.device).repeat_interleave(count)
        column = first + number
        places = torch.arange(len(symbol), device=values.device)
        return cls(symbol, column[:, symbol] == places, column)

    def split(self, x: Tensor, missing: float) -> Tensor:
        """(D, S, ...) -> (D, L, ...), ``missing`` outside of each column's stretch."""
        own = self.own if x.dim() == 2 else self.own.unsqueeze(-1)
        return torch.where(own, x[:, self.symbol], missing)

    def joined(self, x: Tensor) -> Tensor:
        """(D, L, F) -> (D, S, F)."""
        return x.gather(1, self.column.unsqueeze(-1).expand(-1, -1, x.shape[-1]))


class Moments(NamedTuple):
    """Number, mean and sum of squared deviations of the finite cells of some rows."""

    n: Tensor
    mean: Tensor
    squares: Tensor


class ByStretch(InParts):
    """Base of the input normalizers that take every stretch of a symbol for a symbol of its own."""

    independent: ClassVar[Axis] = "symbols"
    cells: ClassVar[int] = CELLS
    """About as many are normalized together."""

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F)."""

        def apart(block: Tensor, members: Tensor) -> Scaled:
            parts = Apart.of(block, members)
            if parts is None:
                return self._normalized(block, members, state)
            own, its = parts.split(block, torch.nan), parts.split(members, False)
            found = self._normalized(own, its, state)
            whole = found.slope.dim() == block.dim()
            slope = parts.joined(found.slope) if whole else found.slope
            return Scaled(parts.joined(found.values), slope)

        return in_blocks(apart, values, member, dim=1, cells=self.cells)


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


def standardized(values: Tensor, past: Moments, minimum: int) -> Scaled:
    """(x - mean) / sd of (D, S, F) by moments of the past; NaN below ``minimum`` rows."""
    center = torch.where(past.n >= minimum, past.mean, torch.nan)
    return scaled(values, center, root(past.squares / past.n.clamp_min(1)))


def _previous(tails: Tensor) -> Tensor:
    """(N, w, ...) with entry (n - 1, k + 1) at (n, k); 0 where there is none."""
    shifted = torch.zeros_like(tails)
    shifted[1:, :-1] = tails[:-1, 1:]
    return shifted


@dataclass(frozen=True)
class RollingZScore(ByStretch):
    """(x - mean) / sd over the stock's last ``window`` rows, today included.

    NaN until ``minimum`` of them are finite. Equal to pandas' rolling with ddof=0.
    """

    window: int = 252
    minimum: int = 63

    def __post_init__(self) -> None:
        Interval(2).check("window", self.window)

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        return standardized(values, rolling(values.double(), self.window), self.minimum)


@dataclass(frozen=True)
class ExpandingZScore(ByStretch):
    """(x - mean) / sd over all of the stock's rows so far, today included.

    NaN until ``minimum`` of them are finite. Equal to pandas' expanding with ddof=0. It never
    forgets, so scoring needs every row since the first one of the training panel.
    """

    minimum: int = 63

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        past = Moments(*(moment[0] for moment in running(values.double().unsqueeze(0))))
        return standardized(values, past, self.minimum)


@dataclass(frozen=True)
class RollingRobustZScore(RollingZScore):
    """(x - median) / (1.4826 MAD) over the stock's last ``window`` rows, today included; clipped.

    NaN until ``minimum`` of them are finite. The centre is equal to pandas' rolling median. It is
    detached, as ranks are: medians have no smooth derivative.
    """

    clip: float = 3.0

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        still = values.detach()
        wide = torch.where(still.isfinite(), still.double(), torch.nan)
        centers, spreads = [], []
        for past in last_rows(wide, self.window):
            rows = past.flatten(0, -2).numpy(force=True)
            center = medians(rows)
            spreads.append(MAD_TO_SD * medians(np.abs(rows - center[:, None])))
            centers.append(np.where(np.isfinite(rows).sum(1) >= self.minimum, center, np.nan))
        location, scale = (
            torch.from_numpy(np.concatenate(parts)).reshape(values.shape).to(values.device)
            for parts in (centers, spreads)
        )
        return clipped(scaled(still, location, scale), self.clip)


def medians(rows: np.ndarray) -> np.ndarray:
    """Medians (N,) of the cells of rows (N, w) that are not NaN.

    Rows with as many cells are partitioned together, which is several times faster than sorting.
    """
    counts = (~np.isnan(rows)).sum(axis=1)
    found = np.full(len(rows), np.nan)
    for count in np.unique(counts[counts > 0]):
        own, middle = counts == count, [(count - 1) // 2, count // 2]
        found[own] = np.partition(rows[own], middle, axis=1)[:, middle].mean(axis=1)
    return found


@dataclass(frozen=True)
class EwmZScore(ByStretch):
    """(x - m) / sqrt(v), m and v exponentially weighted over strictly earlier rows.

    Weights halve every ``half_life`` rows, missing rows included, and sum to 1. NaN until
    ``minimum`` earlier rows are finite. Equal to pandas' ewm(halflife, bias=True), shifted by one.
    """

    cells: ClassVar[int] = 8 * CELLS
    """The recursion walks the rows of each block: fewer, larger blocks."""
    half_life: float = 63.0
    minimum: int = 21

    def __post_init__(self) -> None:
        Interval(0, open_low=True).check("half_life", self.half_life)

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        center, variance = earlier(values.double(), 0.5 ** (1 / self.half_life), self.minimum)
        return scaled(values, center, root(variance))


@dataclass(frozen=True)
class VolatilityScaled(EwmZScore):
    """x / sqrt(v), v the exponentially weighted mean of x^2 over strictly earlier rows.

    The RiskMetrics forecast of volatility (J.P. Morgan 1996), which takes the mean as 0; their
    decay 0.94 is a half-life of 11.2 rows. For features that are returns.
    """

    half_life: float = 11.2

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        mean, variance = earlier(values.double(), 0.5 ** (1 / self.half_life), self.minimum)
        zero = torch.where(mean.isfinite(), 0.0, torch.nan)
        return scaled(values, zero, root(variance + mean.square()))


@dataclass(frozen=True)
class RollingRank(RollingZScore):
    """(rank / count - 0.5) * 3.46 of today's value among the stock's last ``window`` rows.

    Average rank for ties; the slope is 1, per unit of rank. NaN until ``minimum`` rows are finite.
    Equal to pandas' rolling rank.
    """

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
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


@dataclass(frozen=True)
class ScoreDrivenZScore(ByStretch):
    """(x - m) / s with the location and scale of a score-driven filter (Urettini et al. 2024).

    The filter of Creal, Koopman & Lucas (2013) for Student's t with ``dof`` degrees of freedom: of
    a surprise e, today's location and squared scale move by the share ``gain`` of w e and of
    w e^2 - s^2, w = (dof + 1) / (dof + e^2 / s^2), so outliers count less. Only strictly earlier
    rows are used. The gain of each feature, 1 - 0.5^(1 / half-life), is the one of ``half_lives``
    with the largest likelihood in the training rows. The first ``minimum`` rows give plain moments
    to start from; the result is NaN for them.
    """

    cells: ClassVar[int] = 8 * CELLS
    """As in EwmZScore: fewer, larger blocks."""
    half_lives: tuple[float, ...] = (11.0, 21.0, 42.0, 63.0)
    dof: float = 5.0
    minimum: int = 21

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
        """The gain (F,) float64 of each feature: that of the members' cells at ``rows``.

        Raises:
            ValueError: A feature has no such cell.
        """
        fitted_cells(values, member, rows)
        block = at(rows)
        cells, counted = values[block].double(), member[block]
        parts = Apart.of(cells, counted)
        if parts is not None:
            cells, counted = parts.split(cells, torch.nan), parts.split(counted, False)
        gains = 1 - 0.5 ** (1 / torch.tensor(self.half_lives, dtype=torch.float64))
        found = []
        for gain in gains:
            center, variance = self._filtered(cells, gain)
            known = counted.unsqueeze(-1) & (cells - center).isfinite() & (variance > 0)
            safe = torch.where(known, variance, 1.0)
            surprise = torch.where(known, cells - center, 0.0).square() / safe
            likelihood = -safe.log() / 2 - (self.dof + 1) / 2 * (surprise / self.dof).log1p()
            found.append(torch.where(known, likelihood, 0.0).sum(dim=(0, 1)))
        return {"gain": gains[torch.stack(found).argmax(dim=0)]}

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        center, variance = self._filtered(values.double(), state["gain"])
        return scaled(values, center, root(variance))

    def _filtered(self, values: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        """Location and squared scale (D, S, F) before each row; ``gain`` () or (F,)."""
        finite = values.isfinite()
        filled = torch.where(finite, values, 0.0)
        centers, variances = [], []
        count, center, variance = (torch.zeros_like(values[0]) for _ in range(3))
        for present, value in zip(finite, filled, strict=True):
            centers.append(torch.where(count >= self.minimum, center, torch.nan))
            variances.append(variance)
            early = count < self.minimum
            share = torch.where(early, 1 / (count + 1), gain) * present
            gap = value - center
            varies = variance > 0
            surprise = gap.square() / torch.where(varies, variance, 1.0)
            weight = (self.dof + 1) / (self.dof + surprise)
            weight = torch.where(early | ~varies, 1.0, weight)
            kept = torch.where(early, 1 - share, 1.0)  # plain moments: the mean moves as well
            center = center + share * weight * gap
            variance = variance + share * (weight * kept * gap.square() - variance)
            count = count + present
        return torch.stack(centers), torch.stack(variances)


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
