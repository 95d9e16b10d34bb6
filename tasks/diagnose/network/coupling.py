"""Does a forecast depend on the other samples of its batch? Measured by perturbing them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from foldproof.tasks.diagnose.findings.catalogue import FLOAT64
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import in_spreads, largest, largest_ordinary, spread

Forward = Callable[[Tensor, Tensor], Tensor]
"""(B, T, F) windows and (B,) dates -> (B, ...) outputs; a deterministic function."""

PLACES = 4
"""Number of dates after which a batch is cut, and of dates whose own samples are divided."""
SINGLES = 8
"""Number of samples to run alone."""


@dataclass(frozen=True)
class Move:
    """The output that moved most: size in sd, sample, value before and after, cut."""

    size: float = 0.0
    sample: int = 0
    before: float = float("nan")
    after: float = float("nan")
    cut: int = 0


@dataclass(frozen=True)
class Coupling:
    """Largest move of an output under each perturbation.

    Attributes:
        later: Samples dated later are perturbed.
        earlier: Samples dated earlier are perturbed.
        same: Samples of the same date are perturbed.
        composition: Order and number of the samples change.
        newest_first: Samples dated later are perturbed, with the samples in order of date, the
            newest first. Run if order or number matter: a network that takes the samples of a batch
            for time steps is then found out whatever their order.
        over_samples: Each sample depends on those before it in the batch and on none after it.
        dates: Number of different dates in the batch; with one, later and earlier are not run.
        failures: Why a perturbation could not be run; empty if all ran.
    """

    later: Move
    earlier: Move
    same: Move
    composition: Move
    newest_first: Move
    over_samples: bool
    dates: int
    failures: str = ""

    @property
    def ahead(self) -> Move:
        """The largest move when samples dated later are perturbed, in either order."""
        return worst([self.later, self.newest_first])

    def kind(self, tolerance: float) -> str:
        """none, date (depends on samples of its own date only) or batch (on any sample)."""
        if max(self.ahead.size, self.earlier.size) > tolerance:
            return "batch"
        if self.same.size > tolerance:
            return "date"
        return "batch" if self.composition.size > tolerance else "none"


@dataclass(frozen=True, eq=False)
class Probe:
    """A batch, its outputs, and the windows that replace perturbed samples.

    Attributes:
        forward: The tested function.
        windows: (B, T, F).
        dates: (B,) int.
        noisy: (B, T, F) replacements of perturbed samples.
        before: (B, ...) outputs on ``windows``.
        scale: Spread of the outputs.
        top: The largest ordinary output; a larger one is allowed more rounding.
    """

    forward: Forward
    windows: Tensor
    dates: Tensor
    noisy: Tensor
    before: np.ndarray
    scale: float
    top: float

    @classmethod
    def of(cls, forward: Forward, windows: Tensor, dates: Tensor, seed: int) -> "Probe":
        """Run the batch once."""
        before = as_numpy(forward(windows, dates))
        noisy, scale, top = perturbed(windows, seed), spread(before), largest_ordinary(before)
        return cls(forward, windows, dates, noisy, before, scale, top)

    def perturb(self, chosen: Tensor, observed: Tensor, cut: int = 0) -> Move:
        """Perturb the samples ``chosen`` (B,) bool; the largest move among ``observed`` (B,)."""
        mask = chosen.view(-1, *[1] * (self.windows.ndim - 1))
        after = as_numpy(self.forward(torch.where(mask, self.noisy, self.windows), self.dates))
        return self.move(after, torch.nonzero(observed).flatten(), cut)

    def move(self, after: np.ndarray, samples: Tensor, cut: int = 0) -> Move:
        """The largest move of ``samples`` from the outputs before to ``after`` (B, ...)."""
        place = samples.cpu().numpy()
        if not len(place):
            return Move()
        sizes = in_spreads(self.before[place], after[place], self.scale, self.top)
        sizes = sizes.reshape(len(place), -1)
        worst, cell = np.unravel_index(sizes.argmax(), sizes.shape)
        row = int(place[worst])
        old, new = (float(out.reshape(len(out), -1)[row, cell]) for out in (self.before, after))
        return Move(largest(sizes), row, old, new, cut)

    def later_dates(self) -> Iterator[Move]:
        """At some cuts: the move when later samples are perturbed."""
        for cut in some(self.dates.unique()[:-1], PLACES):
            later = self.dates > cut
            yield self.perturb(later, ~later, int(cut))

    def earlier_dates(self) -> Iterator[Move]:
        """At some cuts: the move of later samples when earlier ones are perturbed."""
        for cut in some(self.dates.unique()[:-1], PLACES):
            later = self.dates > cut
            yield self.perturb(~later, later, int(cut))

    def one_way(self) -> bool:
        """Whether samples depend on those before them in the batch, and on none after them."""
        place = torch.arange(len(self.dates), device=self.dates.device)
        cuts = [place > cut for cut in some(place[:-1], PLACES).tolist()]
        after = worst([self.perturb(behind, ~behind) for behind in cuts])
        return after.size <= FLOAT64 < worst([self.perturb(~b, b) for b in cuts]).size

    def within_dates(self) -> Iterator[Move]:
        """At some dates: the move of half of the samples when the other half is perturbed."""
        for date in some(self.dates.unique(), PLACES):
            members = self.dates == date
            half = torch.zeros_like(members)
            half[torch.nonzero(members).flatten()[::2]] = True
            yield self.perturb(half, members & ~half)

    def later_steps(self, count: int) -> Iterator[Move]:
        """At some steps: the move of the outputs (B, T, ...) up to it when later steps change.

        Steps of all windows are perturbed, after up to ``count`` of the steps.
        """
        steps = self.windows.shape[1]
        for last in some(torch.arange(steps - 1), count).tolist():
            changed = self.windows.clone()
            changed[:, last + 1 :] = self.noisy[:, last + 1 :]
            after = as_numpy(self.forward(changed, self.dates))
            after[:, last + 1 :] = self.before[:, last + 1 :]
            yield self.move(after, torch.arange(len(after)), last + 1)

    def reversed(self) -> Move:
        """The move when the batch is run in reverse order."""
        after = as_numpy(self.forward(self.windows.flip(0), self.dates.flip(0)))[::-1].copy()
        return self.move(after, torch.arange(len(self.dates)))

    def singles(self) -> Move:
        """The move of samples run alone."""
        after, samples = self.before.copy(), some(torch.arange(len(self.dates)), SINGLES)
        for sample in samples.tolist():
            one = slice(sample, sample + 1)
            after[one] = as_numpy(self.forward(self.windows[one], self.dates[one]))
        return self.move(after, samples)


def coupling(
    forward: Forward, windows: Tensor, dates: Tensor, seed: int, resize: bool = True
) -> Coupling:
    """Perturb the other samples of a batch, by date, and measure which outputs move.

    Args:
        forward: The tested function.
        windows: (B, T, F) of at least two samples.
        dates: (B,) int.
        seed: Seed of the perturbations.
        resize: Also run samples alone and in reverse order; False if the network draws random
            numbers by position.
    """
    probe = Probe.of(forward, windows, dates, seed)
    tries = [attempt(probe.reversed), attempt(probe.singles)] if resize else []
    composition = worst([move for move, _ in tries if move is not None])
    failures = [reason for _, reason in tries if reason]
    newest_first, over_samples = Move(), False
    if composition.size > FLOAT64 or failures or not resize:
        found, reason = attempt(lambda: later_newest_first(forward, windows, dates, seed))
        newest_first, failures = found or Move(), [*failures, *filter(None, [reason])]
        over_samples = probe.one_way()
    return Coupling(
        later=worst(list(probe.later_dates())),
        earlier=worst(list(probe.earlier_dates())),
        same=worst(list(probe.within_dates())),
        composition=composition,
        newest_first=newest_first,
        over_samples=over_samples,
        dates=len(dates.unique()),
        failures="; ".join(dict.fromkeys(failures)),
    )


def later_newest_first(forward: Forward, windows: Tensor, dates: Tensor, seed: int) -> Move:
    """The move when later samples are perturbed and the newest samples come first.

    A recurrent layer over the batch reads the samples before each other. In order of date these are
    the earlier ones, and nothing looks ahead.
    """
    order = dates.argsort(descending=True, stable=True)
    turned = Probe.of(forward, windows[order], dates[order], seed)
    top = worst(list(turned.later_dates()))
    return replace(top, sample=int(order[top.sample]))


def worst(moves: list[Move]) -> Move:
    """The largest move; no move for an empty list."""
    return max(moves, key=lambda move: move.size, default=Move())


def perturbed(windows: Tensor, seed: int) -> Tensor:
    """Windows of the same shape with flipped signs and noise of three standard deviations."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(windows.shape, generator=generator, dtype=windows.dtype)
    return -windows + 3 * windows[windows.isfinite()].std() * noise.to(windows.device)


def some(values: Tensor, count: int) -> Tensor:
    """Up to ``count`` of (n,) ``values``, evenly spread over their positions."""
    if len(values) <= count:
        return values
    places = torch.linspace(0, len(values) - 1, count).round().long()
    return values[places]


def as_numpy(outputs: Tensor) -> np.ndarray:
    """Outputs as float64 numpy, (B, ...)."""
    return outputs.detach().to("cpu", torch.float64).numpy()
