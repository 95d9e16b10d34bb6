"""Input normalizers across the members of each date. Statistics use the members' finite cells.

Cells of non-members are normalized too, as they may be inside the window of a later member.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from foldproof.models.normalizers.scaling import (
    MAD_TO_SD,
    RANK_SCALE,
    ByDate,
    clipped,
    median,
    root,
    scaled,
)
from foldproof.models.normalizers.variant import Scaled


@dataclass(frozen=True)
class CrossSectionZScore(ByDate):
    """(x - mean) / sd over the members of the date (qlib CSZScoreNorm)."""

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is (D, 1, F). A date without members becomes NaN."""
        wide = values.double()
        counted = member.unsqueeze(-1) & values.isfinite()
        count = counted.sum(dim=1, keepdim=True)
        mean = torch.where(counted, wide, 0.0).sum(dim=1, keepdim=True) / count
        squares = torch.where(counted, wide - mean, 0.0).square().sum(dim=1, keepdim=True)
        return scaled(values, mean, root(squares / count))


@dataclass(frozen=True)
class CrossSectionRobustZScore(ByDate):
    """(x - median) / (1.4826 MAD) over the members of the date, clipped.

    qlib CSZScoreNorm(method="robust") with the clip of its RobustZScoreNorm. Trap: where more than
    half the members are equal, the MAD is 0 and all become 0.
    """

    clip: float = 3.0

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is (D, S, F), 0 for a clipped cell."""
        wide = values.double()
        counted = member.unsqueeze(-1) & values.isfinite()
        cells = torch.where(counted, wide, torch.nan)
        center = median(cells, dim=1)
        spread = MAD_TO_SD * median((cells - center).abs(), dim=1)
        return clipped(scaled(values, center, spread), self.clip)


@dataclass(frozen=True)
class CrossSectionRank(ByDate):
    """(rank / count - 0.5) * 3.46 among the members of the date, average rank for ties."""

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Rank (D, S, F); the slope is 1, per unit of rank. A date without members becomes NaN."""
        rank, count = ranks(values, member)
        return Scaled(((rank / count - 0.5) * RANK_SCALE).to(values.dtype), torch.ones(1))


@dataclass(frozen=True)
class CrossSectionRankNormal(ByDate):
    """The normal quantile of (rank - 0.5) / count among the members of the date.

    The offset 0.5 is Hazen's (Blom 1958 has 3/8), so the largest of n is at 1 - 0.5 / n. Cells of
    non-members beyond all members get the same value as the outermost member's rank.
    """

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Rank (D, S, F); the slope is 1, per unit of the result. See :class:`CrossSectionRank`."""
        rank, count = ranks(values, member)
        inside = torch.minimum(rank.clamp_min(1), count) - 0.5
        return Scaled(torch.special.ndtri(inside / count).to(values.dtype), torch.ones(1))


def ranks(values: Tensor, member: Tensor) -> tuple[Tensor, Tensor]:
    """Ranks (D, S, F) float64 among the date's members, and their number (D, 1, F).

    The smallest member has rank 1, ties have their average rank. A non-member lies between the
    ranks of its neighbours, from 0.5 to count + 0.5. A missing cell, and every cell of a date
    without members, is NaN.
    """
    finite = values.isfinite()
    counted = member.unsqueeze(-1) & finite
    cells = torch.where(finite, values, torch.inf).transpose(1, 2).contiguous()  # (D, F, S)
    ordered, order = cells.sort(dim=-1)
    inside = counted.transpose(1, 2).gather(-1, order)
    upto = inside.cumsum(dim=-1, dtype=torch.int32)
    below = upto - inside.int()
    # equal cells follow one another: the first has the right number below, the last that up to it
    equal = ordered[..., 1:] == ordered[..., :-1]
    later, earlier = torch.zeros_like(inside), torch.zeros_like(inside)
    later[..., 1:], earlier[..., :-1] = equal, equal
    below = below.masked_fill(later, -1).cummax(dim=-1).values
    upto = upto.masked_fill(earlier, len(member[0]) + 1).flip(-1).cummin(dim=-1).values.flip(-1)
    # a cell's rank is the middle of the places from below + 1 to upto, all equal to it
    middle = (below + upto + 1).double() / 2
    rank = torch.empty_like(middle).scatter_(-1, order, middle).transpose(1, 2)
    count = counted.sum(dim=1, keepdim=True)
    return torch.where(finite & (count > 0), rank, torch.nan), count
