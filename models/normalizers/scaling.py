"""Shared parts of the input normalizers: a guarded division, and the cells used for fitting.

Statistics are float64; results have the type of the values. Variances are biased (divided by n).
Everything is differentiable: cells that are missing or without spread have derivative 0.
"""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from foldproof.models.date_rows import Rows, at
from foldproof.models.normalizers.variant import Axis, Scaled

RELATIVE_FLOOR = 1e-10
"""A spread below this share of the centre is rounding, not variation."""

MAD_TO_SD = 1.4826
"""Standard deviation of a normal distribution per median absolute deviation."""

RANK_SCALE = 3.46
"""About sqrt(12), which scales uniform ranks to unit variance (qlib CSRankNorm)."""

CELLS = 1 << 18
"""Cells that are normalized together, so that float64 temporaries stay small on a wide panel."""


def in_blocks(
    apply: Callable[[Tensor, Tensor], Scaled],
    values: Tensor,
    member: Tensor,
    dim: int,
    cells: int = CELLS,
) -> Scaled:
    """``apply`` on blocks of dates or of symbols that do not depend on one another.

    Args:
        apply: (D, S, F) values and (D, S) membership -> normalized values and slope.
        values: (D, S, F).
        member: (D, S).
        dim: 0 for blocks of dates, 1 for blocks of symbols.
        cells: About as many are in a block.
    """
    size = max(1, cells * values.shape[dim] // max(1, values.numel()))
    if values.shape[dim] <= size:
        return apply(values, member)
    blocks = zip(values.split(size, dim), member.split(size, dim), strict=True)
    parts = [apply(block, members) for block, members in blocks]
    slope = parts[0].slope  # one for all cells, or with an entry for each date or symbol
    if slope.dim() == values.dim():
        slope = torch.cat([part.slope for part in parts], dim)
    return Scaled(torch.cat([part.values for part in parts], dim), slope)


def scaled(values: Tensor, center: Tensor, spread: Tensor) -> Scaled:
    """(values - center) / spread; 0 where there is no spread, so never infinite.

    Args:
        values: (D, S, F); NaN stays NaN.
        center: Broadcastable to values, in their units; NaN where it is still unknown.
        spread: Broadcastable to values, in their units, not negative.
    """
    floor = (center.abs() * RELATIVE_FLOOR).clamp_min(torch.finfo(torch.float32).tiny)
    varies = spread > floor
    slope = torch.where(varies, 1 / torch.where(varies, spread, 1.0), 0.0)
    apart = values.double() - center
    known = apart.isfinite()
    result = torch.where(known, torch.where(known, apart, 0.0) * slope, torch.nan)
    return Scaled(result.to(values.dtype), slope.to(values.dtype))


def clipped(wide: Scaled, clip: float) -> Scaled:
    """``wide`` within plus and minus ``clip``; the slope of a clipped cell is 0."""
    inside = wide.values.abs() <= clip
    return Scaled(wide.values.clamp(-clip, clip), wide.slope * inside)


class InParts:
    """Base of the input normalizers that work on a part of the panel at a time."""

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
        """Nothing to fit: the statistics come from the rows that are normalized."""
        return {}

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """One part, normalized."""
        raise NotImplementedError


class ByDate(InParts):
    """Base of the input normalizers that need no other date to normalize a date."""

    independent: ClassVar[Axis] = "dates"

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F), members and non-members."""
        return in_blocks(
            lambda block, members: self._normalized(block, members, state), values, member, dim=0
        )


def root(variance: Tensor) -> Tensor:
    """Square root with derivative 0 where the variance is 0; 0 where it is unknown."""
    positive = variance > 0
    return torch.where(positive, torch.where(positive, variance, 1.0).sqrt(), 0.0)


def median(values: Tensor, dim: int) -> Tensor:
    """Median of the cells that are not NaN along ``dim``, which stays with size 1.

    Of an even number it is the mean of the middle two. NaN where there is no cell. Its derivative
    is that by the middle cells.
    """
    ordered = values.sort(dim=dim).values  # NaN comes last
    count = (~values.isnan()).sum(dim=dim, keepdim=True)
    low = ordered.gather(dim, ((count - 1) // 2).clamp_min(0))
    return (low + ordered.gather(dim, (count // 2).clamp_max(values.shape[dim] - 1))) / 2


FITTED = 1 << 23
"""Cells that are fitted together; a larger training block is fitted feature by feature."""


def by_feature(
    fit: Callable[[Tensor], dict[str, Tensor]], values: Tensor, member: Tensor, rows: Rows
) -> dict[str, Tensor]:
    """``fit`` on the cells of :func:`fitted_cells`, some features at a time if there are many.

    Args:
        fit: (N, f) float64 cells -> statistics, each (f,).
        values: (D, S, F).
        member: (D, S).
        rows: Date rows to fit on.

    Returns:
        The statistics of all features, each (F,).

    Raises:
        ValueError: A feature has no finite member cell at ``rows``.
    """
    cells = len(rows) * values.shape[1]
    size = max(1, FITTED // max(1, cells))
    if size >= values.shape[2]:
        return fit(fitted_cells(values, member, rows))
    starts = range(0, values.shape[2], size)
    found = [fit(fitted_cells(values, member, rows, slice(n, n + size))) for n in starts]
    return {name: torch.cat([part[name] for part in found]) for name in found[0]}


def fitted_cells(
    values: Tensor, member: Tensor, rows: Rows, features: slice = slice(None)
) -> Tensor:
    """The cells used for fitting: members at ``rows``; missing cells are NaN.

    Returns:
        (len(rows) * S, F) float64.

    Raises:
        ValueError: A feature has no finite member cell at ``rows``.
    """
    block = at(rows)
    own = values[block, :, features]
    counted = member[block].unsqueeze(-1) & own.isfinite()
    cells = torch.where(counted, own.double(), torch.nan).flatten(0, 1)
    start = features.start or 0
    empty = [start + place for place in cells.isnan().all(dim=0).nonzero().flatten().tolist()]
    if empty:
        raise ValueError(
            f"feature columns {empty} have no finite value of a member in rows "
            f"{rows.start}..{rows.stop - 1}, so they cannot be fitted; "
            "drop these features or start training later"
        )
    return cells
