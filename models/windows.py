"""Windows of a panel, gathered per batch and never stored as a whole: a sample is a number."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from foldproof.models.date_rows import Rows, at
from foldproof.models.spec import require


@dataclass(frozen=True, eq=False)
class Windows:
    """A panel in the layout in which a batch of windows is a single gather.

    A sample is s * D + d: the window of symbol s that ends at date row d, d included. The features
    may be there for some date rows only; a sample whose window begins earlier must not be read.

    Attributes:
        rows: (S * R, F) float32 features of R consecutive date rows, symbol-major.
        target: (S * D,) float32; NaN if unknown.
        dates: D, the number of date rows of the panel.
        length: T, the rows in a window.
        first: The date row of the first features.
    """

    rows: Tensor
    target: Tensor
    dates: int
    length: int
    first: int = 0

    @classmethod
    def of(cls, values: Tensor, target: Tensor, length: int) -> "Windows":
        """The windows of features (D, S, F) and target (D, S); it copies once."""
        require(
            target.shape == values.shape[:2],
            f"target {tuple(target.shape)} must match the dates and symbols of the features "
            f"{tuple(values.shape)}",
        )
        return cls.of_rows(values.transpose(0, 1), target, length)

    @classmethod
    def of_rows(cls, rows: Tensor, target: Tensor, length: int, first: int = 0) -> "Windows":
        """The windows of symbol-major features (S, R, F) from date row ``first`` on.

        ``target`` (D, S) has all dates. Contiguous float32 features are not copied.
        """
        flat = target.transpose(0, 1).flatten().to(torch.float32)
        own = rows.flatten(0, 1).to(torch.float32)
        return cls(own.contiguous(), flat.contiguous(), len(target), length, first)

    @property
    def symbols(self) -> int:
        """S, the number of symbols."""
        return len(self.target) // self.dates

    @property
    def values(self) -> Tensor:
        """(R, S, F) the features by date row, without a copy."""
        return self.rows.unflatten(0, (self.symbols, -1)).transpose(0, 1)

    def on(self, device: torch.device | str) -> "Windows":
        """The same windows on ``device``."""
        return replace(self, rows=self.rows.to(device), target=self.target.to(device))

    def gather(self, samples: Tensor) -> Tensor:
        """(B,) samples -> (B, T, F), oldest row first; time-major in memory, as the LSTM reads."""
        steps = torch.arange(1 - self.length, 1, device=samples.device).unsqueeze(1)
        return self.features(steps + samples).transpose(0, 1)

    def features(self, cells: Tensor) -> Tensor:
        """The features (..., F) of cells (...), numbered like the samples."""
        places = self.places(cells)
        return self.rows.index_select(0, places.flatten()).unflatten(0, places.shape)

    def places(self, cells: Tensor) -> Tensor:
        """Which of ``rows`` has the features of each cell (...), numbered like the samples."""
        if len(self.rows) == len(self.target):
            return cells
        held = len(self.rows) // self.symbols
        return self.symbol(cells) * held + self.date(cells) - self.first

    def starts(self, samples: Tensor) -> Tensor:
        """Which of ``rows`` is the first of each window; samples (B,)."""
        return self.places(samples) - (self.length - 1)

    @property
    def last(self) -> int:
        """The date row of the last features."""
        return self.first + len(self.rows) // self.symbols - 1

    def followed(self, samples: Tensor, count: int, allowed: Tensor) -> Tensor:
        """The samples (n,) of (N,) whose next ``count`` rows are complete and on allowed dates.

        Args:
            samples: (N,).
            count: Rows after the last one of a window.
            allowed: Date rows, none of them later than :attr:`last`.
        """
        steps = torch.arange(1, count + 1, device=samples.device)
        may = torch.zeros(self.last + count + 1, dtype=torch.bool, device=samples.device)
        may[allowed] = True
        inside = samples[may[self.date(samples).unsqueeze(1) + steps].all(dim=1)]
        complete = self.rows.isfinite().all(dim=1)
        place = self.places(inside)
        return inside[complete[place.unsqueeze(1) + steps].all(dim=1)]

    def date(self, samples: Tensor) -> Tensor:
        """(B,) samples -> (B,) date rows."""
        return samples % self.dates

    def symbol(self, samples: Tensor) -> Tensor:
        """(B,) samples -> (B,) symbol columns."""
        return samples // self.dates

    def eligible(self, member: Tensor, rows: Rows, labelled: bool = False) -> Tensor:
        """Samples (N,) at the date rows ``rows`` that can be forecast, see :func:`eligible`.

        Args:
            member: (D, S) bool, on the CPU.
            rows: Date rows to take samples from.
            labelled: Leave out samples without a finite target.
        """
        target = self.target.unflatten(0, (-1, self.dates)).transpose(0, 1).cpu()
        return eligible(
            self.values.cpu(), member, rows, self.length, target if labelled else None, self.first
        )


CELLS = 1 << 24
"""Features that are tested for gaps together; the test needs a byte for each."""


def eligible(
    values: Tensor,
    member: Tensor,
    rows: Rows,
    length: int,
    target: Tensor | None = None,
    first: int = 0,
) -> Tensor:
    """Samples that can be forecast: members at d with all of their window's cells finite.

    Args:
        values: (R, S, F) features as the network gets them, of R consecutive date rows.
        member: (D, S) bool.
        rows: Date rows d to take samples from; their windows may begin earlier.
        length: T; rows before the T-th have no whole window.
        target: (D, S); given, samples without a finite target are left out as well.
        first: The date row of the first features.

    Returns:
        (N,) int64 samples sorted by date, then symbol. May be empty: the caller decides what then.

    Raises:
        ValueError: ``rows`` reach outside the panel, or beyond the features.
    """
    days = len(member)
    require(
        0 <= rows.start <= rows.stop <= days,
        f"rows {rows.start}..{rows.stop} must lie within the panel's {days} date rows",
    )
    begin, stop = first and first + length - 1, first + len(values)
    require(
        not rows or begin <= rows.start <= rows.stop <= stop,
        f"windows of {length} rows that end in rows {rows.start}..{rows.stop} need earlier or "
        f"later features than those of rows {first}..{stop}",
    )
    size = max(1, CELLS // max(1, values[:1].numel()))
    finite = torch.cat([part.isfinite().all(dim=-1) for part in values.split(size)])  # (R, S)
    usable = torch.zeros_like(member)
    if len(values) >= length:
        usable[first + length - 1 : stop] = finite.unfold(0, length, 1).all(dim=-1)
    usable &= member
    if target is not None:
        usable &= target.isfinite()
    if not isinstance(rows, range):
        inside = torch.zeros(days, dtype=torch.bool)
        inside[at(rows)] = True
        usable &= inside[:, None]
    date, symbol = usable[rows.start : rows.stop].nonzero(as_tuple=True)
    return symbol * days + date + rows.start
