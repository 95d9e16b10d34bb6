"""What the input normalizers share: one guarded division, one rule for which cells are fitted on.

Statistics are float64, results of the values' type. A variance is the biased one (divided by n),
everywhere. All of it can be differentiated: what is missing or has no spread has derivative 0.
"""

import torch
from torch import Tensor

from foldproof.models.normalizers.variant import Scaled

RELATIVE_FLOOR = 1e-10
"""A spread below this share of the centre is rounding, not variation."""


def scaled(values: Tensor, center: Tensor, spread: Tensor) -> Scaled:
    """(values - center) / spread, and 0 where there is no spread: never inf.

    Args:
        values: (D, S, F); NaN stays NaN.
        center: Broadcastable to values, in their units; NaN where it is not known yet.
        spread: Broadcastable to values, in their units, not negative.
    """
    floor = (center.abs() * RELATIVE_FLOOR).clamp_min(torch.finfo(torch.float32).tiny)
    varies = spread > floor
    slope = torch.where(varies, 1 / torch.where(varies, spread, 1.0), 0.0)
    apart = values.double() - center
    known = apart.isfinite()
    result = torch.where(known, torch.where(known, apart, 0.0) * slope, torch.nan)
    return Scaled(result.to(values.dtype), slope.to(values.dtype))


def root(variance: Tensor) -> Tensor:
    """Square root with derivative 0 where there is no variance; 0 where it is not known."""
    positive = variance > 0
    return torch.where(positive, torch.where(positive, variance, 1.0).sqrt(), 0.0)


def fitted_cells(values: Tensor, member: Tensor, rows: range) -> Tensor:
    """The cells that statistics are fitted on: members at ``rows``, missing ones as NaN.

    Returns:
        (len(rows) * S, F) float64.

    Raises:
        ValueError: A feature has no finite member cell at ``rows``.
    """
    block = slice(rows.start, rows.stop)
    counted = member[block].unsqueeze(-1) & values[block].isfinite()
    cells = torch.where(counted, values[block].double(), torch.nan).flatten(0, 1)
    empty = cells.isnan().all(dim=0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"feature columns {empty} have no finite value of a member at rows "
            f"{rows.start}..{rows.stop - 1}, so nothing can be fitted on them; "
            "drop these features or let training begin later"
        )
    return cells
