"""Does a forecast depend on who shares its batch? Measured by changing the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import largest, moved, spread

Forward = Callable[[Tensor, Tensor], Tensor]
"""(B, T, F) windows and (B,) dates -> (B, ...) outputs; the same for the same arguments."""

PLACES = 4
"""Dates at which a batch is divided, and dates whose own members are divided."""
SINGLES = 8
"""Samples that are run alone."""


@dataclass(frozen=True)
class Move:
    """The output that moved most: by how many sd, which sample, from what to what, at which cut."""

    size: float = 0.0
    sample: int = 0
    before: float = float("nan")
    after: float = float("nan")
    cut: int = 0


@dataclass(frozen=True)
class Coupling:
    """Largest move of an output by what was changed.

    Attributes:
        later: Samples dated later.
        earlier: Samples dated earlier.
        same: Samples of the same date.
        composition: Order and number of the samples.
        dates: Different dates in the batch; with one, later and earlier were not tried.
        failures: Why something was not tried, or nothing.
    """

    later: Move
    earlier: Move
    same: Move
    composition: Move
    dates: int
    failures: str = ""

    def kind(self, tolerance: float) -> str:
        """none, date (companions of its own date only) or batch (whoever shares the batch)."""
        if max(self.later.size, self.earlier.size) > tolerance:
            return "batch"
        if self.same.size > tolerance:
            return "date"
        return "batch" if self.composition.size > tolerance else "none"


@dataclass(frozen=True, eq=False)
class Probe:
    """A batch, what comes out of it, and other windows to put in the place of some.

    Attributes:
        forward: What is tested.
        windows: (B, T, F).
        dates: (B,) int.
        noisy: (B, T, F), what changed samples are changed to.
        before: (B, ...) outputs of ``windows``.
        scale: Standard deviation of the outputs.
    """

    forward: Forward
    windows: Tensor
    dates: Tensor
    noisy: Tensor
    before: np.ndarray
    scale: float

    @classmethod
    def of(cls, forward: Forward, windows: Tensor, dates: Tensor, seed: int) -> "Probe":
        """Run the batch once."""
        before = plain(forward(windows, dates))
        return cls(forward, windows, dates, noisy(windows, seed), before, spread(before))

    def change(self, change: Tensor, watch: Tensor, cut: int = 0) -> Move:
        """Change the samples ``change`` (B,) bool; how far do the outputs of ``watch`` move?"""
        mask = change.view(-1, *[1] * (self.windows.ndim - 1))
        after = plain(self.forward(torch.where(mask, self.noisy, self.windows), self.dates))
        return self.move(after, torch.nonzero(watch).flatten(), cut)

    def move(self, after: np.ndarray, samples: Tensor, cut: int = 0) -> Move:
        """The largest move among ``samples`` from before to ``after`` (B, ...)."""
        place = samples.cpu().numpy()
        if not len(place):
            return Move()
        sizes = moved(self.before[place], after[place]).reshape(len(place), -1) / self.scale
        worst, cell = np.unravel_index(sizes.argmax(), sizes.shape)
        row = int(place[worst])
        old, new = (float(out.reshape(len(out), -1)[row, cell]) for out in (self.before, after))
        return Move(largest(sizes), row, old, new, cut)

    def across_dates(self) -> Iterator[tuple[Move, Move]]:
        """At some cuts: the move by later samples, the move by earlier samples."""
        present = self.dates.unique()
        for cut in some(present[:-1], PLACES):
            later = self.dates > cut
            yield self.change(later, ~later, int(cut)), self.change(~later, later, int(cut))

    def within_dates(self) -> Iterator[Move]:
        """At some dates: the move of half of the members by the other half."""
        for date in some(self.dates.unique(), PLACES):
            members = self.dates == date
            half = torch.zeros_like(members)
            half[torch.nonzero(members).flatten()[::2]] = True
            yield self.change(half, members & ~half)

    def reversed(self) -> Move:
        """The move when the batch is fed in reverse order."""
        after = plain(self.forward(self.windows.flip(0), self.dates.flip(0)))[::-1].copy()
        return self.move(after, torch.arange(len(self.dates)))

    def singles(self) -> Move:
        """The move of samples that are run alone."""
        after, samples = self.before.copy(), some(torch.arange(len(self.dates)), SINGLES)
        for sample in samples.tolist():
            one = slice(sample, sample + 1)
            after[one] = plain(self.forward(self.windows[one], self.dates[one]))
        return self.move(after, samples)


def coupling(
    forward: Forward, windows: Tensor, dates: Tensor, seed: int, resize: bool = True
) -> Coupling:
    """Change the others of a batch, by date, and see which outputs move.

    Args:
        forward: What is tested.
        windows: (B, T, F) of at least two samples.
        dates: (B,) int.
        seed: Of what others are changed to.
        resize: Also run samples alone and in reverse order; False where random numbers go by place.
    """
    probe = Probe.of(forward, windows, dates, seed)
    across = list(probe.across_dates())
    tries = [attempt(probe.reversed), attempt(probe.singles)] if resize else []
    return Coupling(
        later=worst([later for later, _ in across]),
        earlier=worst([earlier for _, earlier in across]),
        same=worst(list(probe.within_dates())),
        composition=worst([move for move, _ in tries if move is not None]),
        dates=len(dates.unique()),
        failures="; ".join(reason for _, reason in tries if reason),
    )


def worst(moves: list[Move]) -> Move:
    """The largest of them; no move where there is none."""
    return max(moves, key=lambda move: move.size, default=Move())


def noisy(windows: Tensor, seed: int) -> Tensor:
    """Other windows of the same shape: signs flipped, with noise of three standard deviations."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(windows.shape, generator=generator, dtype=windows.dtype)
    return -windows + 3 * windows[windows.isfinite()].std() * noise.to(windows.device)


def some(values: Tensor, count: int) -> Tensor:
    """Up to ``count`` of (n,) ``values``, evenly spread over their places."""
    if len(values) <= count:
        return values
    places = torch.linspace(0, len(values) - 1, count).round().long()
    return values[places]


def plain(outputs: Tensor) -> np.ndarray:
    """Outputs as float64 numpy, (B, ...)."""
    return outputs.detach().to("cpu", torch.float64).numpy()
