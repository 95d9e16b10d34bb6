"""Input normalizers across the members of each date. Statistics use the members' finite cells.

Cells of non-members are normalized too, as they may be inside the window of a later member.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from foldproof.models.normalizers.scaling import NothingToFit, in_blocks, root, scaled
from foldproof.models.normalizers.variant import Scaled

RANK_SCALE = 3.46
"""About sqrt(12), which scales uniform ranks to unit variance (qlib CSRankNorm)."""


@dataclass(frozen=True)
class CrossSectionZScore(NothingToFit):
    """(x - mean) / sd over the members of the date (qlib CSZScoreNorm)."""

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is (D, 1, F). A date without members becomes NaN."""
        return in_blocks(self._normalized, values, member, dim=0)

    def _normalized(self, values: Tensor, member: Tensor) -> Scaled:
        wide = values.double()
        counted = member.unsqueeze(-1) & values.isfinite()
        count = counted.sum(dim=1, keepdim=True)
        mean = torch.where(counted, wide, 0.0).sum(dim=1, keepdim=True) / count
        squares = torch.where(counted, wide - mean, 0.0).square().sum(dim=1, keepdim=True)
        return scaled(values, mean, root(squares / count))


@dataclass(frozen=True)
class CrossSectionRank(NothingToFit):
    """(rank / count - 0.5) * 3.46 among the members of the date, average rank for ties."""

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Rank (D, S, F); the slope is 1, per unit of rank. A date without members becomes NaN."""
        return in_blocks(self._ranked, values, member, dim=0)

    def _ranked(self, values: Tensor, member: Tensor) -> Scaled:
        finite = values.isfinite()
        counted = member.unsqueeze(-1) & finite
        cells = values.transpose(1, 2).contiguous()  # (D, F, S)
        peers = torch.where(counted.transpose(1, 2), cells, torch.inf).sort(dim=-1).values
        peers = peers.contiguous()
        below = torch.searchsorted(peers, cells)
        upto = torch.searchsorted(peers, cells, right=True)
        # a cell's rank is the middle of the places from below + 1 to upto, all equal to it
        rank = ((below + upto + 1).double() / 2).transpose(1, 2)
        centered = (rank / counted.sum(dim=1, keepdim=True) - 0.5) * RANK_SCALE
        known = finite & counted.any(dim=1, keepdim=True)
        return Scaled(torch.where(known, centered, torch.nan).to(values.dtype), torch.ones(1))
