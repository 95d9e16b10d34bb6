"""Dials of the exact tests on a network: coupling of samples in a batch, state left behind."""

from functools import partial

import torch
from torch import Tensor, nn

from foldproof.tasks.benchmark.power.dial import Dial, by_key
from foldproof.tasks.benchmark.power.pipeline import SIZES
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.network.audit import audit_module

DATES, EACH, STEPS, FEATURES = 24, 4, 3, 2
"""A batch of 96 samples, as the lab's forecasters show one."""
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
    """An honest forecast and ``size`` of its sd of something that the whole batch decides.

    Attributes:
        size: Of what comes from the batch; it is scaled to sd 1 over batches.
        how: ``mean`` of the batch, or its ``detached`` mean.
        touched: (DATES,) bool, dates whose samples feel their batch.
    """

    def __init__(self, size: float, how: str = "mean", touched: Tensor | None = None) -> None:
        super().__init__()
        self.size, self.how = size, how
        self.touched = torch.ones(DATES, dtype=torch.bool) if touched is None else touched

    def forward(self, x: Tensor, dates: Tensor) -> Tensor:
        """(B, T, F), (B,) -> (B,)."""
        own = reading(x)
        others = own.detach() if self.how == "detached" else own
        felt = self.size * others.mean() * len(own) ** 0.5
        return torch.where(self.touched[dates], own + felt, own) if self.size else own


class Stateful(nn.Module):
    """An honest forecast; each pass moves a buffer by ``step`` of its own size."""

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


def said(test: str, module: nn.Module, seed: int) -> Finding:
    """What the audit of a module says by one test, in eval mode: its own comes first."""
    report = audit_module(module.eval(), *batch(seed), seed=seed)
    return next(f for f in report.findings if f.test == test)


def as_left(count: float, seed: int) -> Finding:
    """T7 on a network as :func:`left_training` leaves it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module = left_training(count)
    report = audit_module(module, *batch(seed), seed=seed)
    return next(f for f in report.findings if f.test == "state_purity")


def on_dates(test: str, share: float, seed: int) -> Finding:
    """A test on a network whose samples feel their batch on a share of the dates."""
    generator = torch.Generator().manual_seed(seed + 1)
    return said(test, Coupled(1.0, touched=torch.rand(DATES, generator=generator) < share), seed)


def of_size(test: str, how: str, size: float, seed: int) -> Finding:
    """A test on a network whose samples all feel their batch, by ``size``."""
    return said(test, Coupled(size, how), seed)


def seen(share: float) -> float:
    """The chance that a date other than the last is touched: the last has nothing after it."""
    return 1 - (1 - share) ** (DATES - 1)


FELT = "what the batch decides, in the forecast [forecast sd]"
FELT_ON = "share of dates whose samples feel their batch"
AT = f"batch of {DATES * EACH} samples, {DATES} dates"
NETWORK_DIALS = by_key(
    Dial("T3 size", "batch_composition", f"detached: {FELT}", SIZES,
         partial(of_size, "batch_composition", "detached"), at=AT),
    Dial("T3 share", "batch_composition", FELT_ON, SHARES,
         partial(on_dates, "batch_composition"), seen, at=AT),
    Dial("T4 size", "jacobian", FELT, SIZES, partial(of_size, "jacobian", "mean"), at=AT),
    Dial("T4 share", "jacobian", FELT_ON, SHARES, partial(on_dates, "jacobian"), at=AT),
    Dial("T5 size", "nan_taint", FELT, SIZES, partial(of_size, "nan_taint", "mean"), at=AT),
    Dial("T5 share", "nan_taint", FELT_ON, SHARES, partial(on_dates, "nan_taint"), at=AT),
    Dial("T6 size", "completeness_split", FELT, SIZES,
         partial(of_size, "completeness_split", "mean"), at=AT),
    Dial("T6 share", "completeness_split", FELT_ON, SHARES,
         partial(on_dates, "completeness_split"), at=AT),
    Dial("T7 size", "state_purity", "a buffer's move by a pass [share of it]", SIZES,
         lambda step, seed: said("state_purity", Stateful(step), seed)),
    Dial("T7 parts", "state_purity", "parts of eight left in training mode [parts]",
         (8.0, 4.0, 2.0, 1.0, 0.0), as_left),
)  # fmt: skip
"""Batch composition, Jacobian, missing values, completeness, state."""
