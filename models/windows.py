"""Windows of a panel, gathered per batch and never stored as a whole: a sample is a number."""

from dataclasses import dataclass

import torch
from torch import Tensor

from foldproof.models.spec import require


@dataclass(frozen=True, eq=False)
class Windows:
    """A panel in the layout in which a batch of windows is a single gather.

    A sample is s * D + d: the window of symbol s that ends at date row d, d included.

    Attributes:
        rows: (S * D, F) float32 features, symbol-major.
        target: (S * D,) float32; NaN if unknown.
        dates: D, the number of date rows.
        length: T, the rows in a window.
    """

    rows: Tensor
    target: Tensor
    dates: int
    length: int

    @classmethod
    def of(
        cls, values: Tensor, target: Tensor, length: int, device: torch.device | str = "cpu"
    ) -> "Windows":
        """The windows of features (D, S, F) and target (D, S) on ``device``; it copies once."""
        require(
            target.shape == values.shape[:2],
            f"target {tuple(target.shape)} must match the dates and symbols of the features "
            f"{tuple(values.shape)}",
        )
        rows = values.transpose(0, 1).flatten(0, 1).to(device, torch.float32)
        flat = target.transpose(0, 1).flatten().to(device, torch.float32)
        return cls(rows.contiguous(), flat.contiguous(), len(values), length)

    @property
    def symbols(self) -> int:
        """S, the number of symbols."""
        return len(self.rows) // self.dates

    def gather(self, samples: Tensor) -> Tensor:
        """(B,) samples -> (B, T, F), oldest row first; time-major in memory, as the LSTM reads."""
        steps = torch.arange(1 - self.length, 1, device=samples.device).unsqueeze(1)
        picked = self.rows.index_select(0, (steps + samples).flatten())  # (T * B, F)
        return picked.unflatten(0, (self.length, -1)).transpose(0, 1)

    def date(self, samples: Tensor) -> Tensor:
        """(B,) samples -> (B,) date rows."""
        return samples % self.dates

    def symbol(self, samples: Tensor) -> Tensor:
        """(B,) samples -> (B,) symbol columns."""
        return samples // self.dates


def eligible(
    values: Tensor, member: Tensor, rows: range, length: int, target: Tensor | None = None
) -> Tensor:
    """Samples that can be forecast: members at d with all of their window's cells finite.

    Args:
        values: (D, S, F) features as the network gets them.
        member: (D, S) bool.
        rows: Date rows d to take samples from; their windows may begin earlier.
        length: T; rows before the T-th have no whole window.
        target: (D, S); given, samples without a finite target are left out as well.

    Returns:
        (N,) int64 samples sorted by date, then symbol. May be empty: the caller decides what then.

    Raises:
        ValueError: ``rows`` reach outside the panel.
    """
    days = len(values)
    require(
        0 <= rows.start <= rows.stop <= days,
        f"rows {rows.start}..{rows.stop} must lie within the panel's {days} date rows",
    )
    finite = values.isfinite().all(dim=-1)  # (D, S)
    usable = member.clone()
    usable[: length - 1] = False
    whole = finite.unfold(0, length, 1).all(dim=-1) if days >= length else finite[:0]
    usable[length - 1 :] &= whole
    if target is not None:
        usable &= target.isfinite()
    date, symbol = usable[rows.start : rows.stop].nonzero(as_tuple=True)
    return symbol * days + date + rows.start
