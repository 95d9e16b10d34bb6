"""Dials of the exact tests on a network: coupling of samples in a batch, state left behind."""

from functools import partial

import torch
from torch import Tensor, nn

from foldproof.tasks.benchmark.honest.networks import seeded
from foldproof.tasks.benchmark.power.dial import Dial
from foldproof.tasks.benchmark.power.pipeline import SIZES
from foldproof.tasks.diagnose.findings.catalogue import by_key
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.network.audit import audit_module

DATES, EACH, STEPS, FEATURES = 24, 4, 3, 2
"""A batch of 96 samples, the size that the forecasters of the benchmark trace."""
SHARES = (1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.0)


def batch(seed: int) -> tuple[Tensor, Tensor]:
    """(B, T, F) standard normal windows and their (B,) dates."""
    generator = torch.Generator().manual_seed(seed)
    windows = torch.randn(DATES * EACH, STEPS, FEATURES, generator=generator, dtype=torch.float64)
    return windows, torch.arange(DATES).repeat_interleave(EACH)


def reading(x: Tensor) -> Tensor:
    """(B, T, F) -> (B,) of standard deviation 1: the honest forecast."""
    return x[:, -1].sum(1) / FEATURES**0.5


class Coupled(nn.Module):
    """An honest forecast plus ``size`` of its sd of a statistic of the whole batch.

    Attributes:
        size: Size of the batch statistic, which is scaled to sd 1 over batches.
        how: ``mean`` of the batch, or its ``detached`` mean.
        touched: (DATES,) bool, dates whose samples depend on their batch.
    """

    def __init__(self, size: float, how: str = "mean", touched: Tensor | None = None) -> None:
        super().__init__()
        self.size, self.how = size, how
        self.touched = torch.ones(DATES, dtype=torch.bool) if touched is None else touched

    def forward(self, x: Tensor, dates: Tensor) -> Tensor:
        """(B, T, F), (B,) -> (B,)."""
        own = reading(x)
        others = own.detach() if self.how == "detached" else own
        shared = self.size * others.mean() * len(own) ** 0.5
        return torch.where(self.touched[dates], own + shared, own) if self.size else own


class Stateful(nn.Module):
    """An honest forecast; each pass moves a buffer by ``step`` of its size."""

    mean: Tensor

    def __init__(self, step: float) -> None:
        super().__init__()
        self.step = step
        self.register_buffer("mean", torch.ones((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, F) -> (B,)."""
        self.mean = self.mean + self.step * x.mean()
        return reading(x)


def left_training(count: float) -> nn.Module:
    """A network in eval mode with ``count`` of its eight parts left in training mode."""
    parts = nn.Sequential(*(nn.LayerNorm(FEATURES) for _ in range(8)), nn.Flatten(),
                          nn.Linear(STEPS * FEATURES, 1), nn.Flatten(0)).eval()  # fmt: skip
    for part in list(parts)[: int(count)]:
        part.train()
    return parts


def audited(test: str, module: nn.Module, seed: int) -> Finding:
    """The finding of one test on a module in the mode it is given in, which is reported first."""
    report = audit_module(module, *batch(seed), seed=seed)
    return next(f for f in report.findings if f.test == test)


def as_left(count: float, seed: int) -> Finding:
    """``state_purity`` on a network of :func:`left_training`."""
    return audited("state_purity", seeded(partial(left_training, count), seed), seed)


def on_dates(test: str, share: float, seed: int) -> Finding:
    """A test on a network whose samples depend on their batch on a share of the dates."""
    generator = torch.Generator().manual_seed(seed + 1)
    coupled = Coupled(1.0, touched=torch.rand(DATES, generator=generator) < share)
    return audited(test, coupled.eval(), seed)


def of_size(test: str, how: str, size: float, seed: int) -> Finding:
    """A test on a network whose samples all depend on their batch, by ``size``."""
    return audited(test, Coupled(size, how).eval(), seed)


def detectable(share: float) -> float:
    """The chance that a date other than the last is touched; nothing is later than the last."""
    return 1 - (1 - share) ** (DATES - 1)


SHARED = "batch statistic in the forecast [forecast sd]"
SHARED_ON = "share of dates whose samples depend on their batch"
AT = f"batch of {DATES * EACH} samples, {DATES} dates"
NETWORK_DIALS = by_key(
    Dial("T3 size", "batch_composition", f"detached: {SHARED}", SIZES,
         partial(of_size, "batch_composition", "detached"), at=AT),
    Dial("T3 share", "batch_composition", SHARED_ON, SHARES,
         partial(on_dates, "batch_composition"), detectable, at=AT),
    Dial("T4 size", "jacobian", SHARED, SIZES, partial(of_size, "jacobian", "mean"), at=AT),
    Dial("T4 share", "jacobian", SHARED_ON, SHARES, partial(on_dates, "jacobian"), at=AT),
    Dial("T5 size", "nan_taint", SHARED, SIZES, partial(of_size, "nan_taint", "mean"), at=AT),
    Dial("T5 share", "nan_taint", SHARED_ON, SHARES, partial(on_dates, "nan_taint"), at=AT),
    Dial("T6 size", "completeness_split", SHARED, SIZES,
         partial(of_size, "completeness_split", "mean"), at=AT),
    Dial("T6 share", "completeness_split", SHARED_ON, SHARES,
         partial(on_dates, "completeness_split"), at=AT),
    Dial("T7 size", "state_purity", "a buffer's move by a pass [share of it]", SIZES,
         lambda step, seed: audited("state_purity", Stateful(step).eval(), seed)),
    Dial("T7 parts", "state_purity", "parts of eight left in training mode [parts]",
         (8.0, 4.0, 2.0, 1.0, 0.0), as_left),
)  # fmt: skip
"""Batch composition, Jacobian, missing values, completeness, state."""
