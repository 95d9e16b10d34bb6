import subprocess
import sys

import pytest
import torch
from torch import nn

from foldproof.models.adamw import AdamW
from foldproof.models.spec import TrainingSpec

SHAPES = ((12, 5), (12,), (1, 3), (7, 2, 2), ())


def networks() -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in SHAPES]
    return tuple([nn.Parameter(one.clone()) for one in start] for _ in range(2))  # type: ignore


@pytest.mark.parametrize("clip_norm", [1e-2, 1.0, 1e6])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_are_those_of_torch_after_clipping(weight_decay: float, clip_norm: float) -> None:
    ours, theirs = networks()
    spec = TrainingSpec(learning_rate=3e-2, weight_decay=weight_decay, clip_norm=clip_norm)
    mine = AdamW(ours, spec)
    optimizer = torch.optim.AdamW(theirs, lr=3e-2, weight_decay=weight_decay)
    generator = torch.Generator().manual_seed(1)
    for step in range(60):
        mine.zero_grad()
        optimizer.zero_grad()
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator) * 10 ** (step % 5 - 3)
            other.grad = one.grad.clone()
        nn.utils.clip_grad_norm_(theirs, clip_norm)
        mine.step()
        optimizer.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-6, atol=2e-6)


def test_frozen_parameters_stay_and_a_missing_gradient_is_zero() -> None:
    ours, theirs = networks()
    ours[1].requires_grad_(False)
    mine = AdamW(ours, TrainingSpec(learning_rate=1e-2, weight_decay=0.0))
    ours[0].grad = torch.ones_like(ours[0])
    mine.step()
    assert not torch.equal(ours[0], theirs[0])
    assert all(torch.equal(ours[n], theirs[n]) for n in range(1, len(SHAPES)))


def test_a_gradient_that_is_not_finite_reaches_the_weights() -> None:
    """So that the loss is not finite either, and training stops with a message."""
    ours, _ = networks()
    for one in ours:
        one.grad = torch.full_like(one, torch.nan)
    AdamW(ours, TrainingSpec(learning_rate=1e-2, weight_decay=0.0)).step()
    assert all(one.isnan().all() for one in ours)


TRAIN = """
import sys, torch
from foldproof.models.engine import fit
from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.models.windows import Windows
windows = Windows.of(torch.randn(40, 3, 2), torch.randn(40, 3), 4)
samples = torch.arange(5, 40)
network = build(VARIANTS["none"], 2, NetworkSpec(window=4, hidden=4), 0)
fit(network, windows, samples, samples, TrainingSpec(epochs=2, device="cpu"), 0)
print(*(name for name in ("torch._dynamo", "sympy") if name in sys.modules))
"""


def test_training_does_not_import_the_compiler_of_torch() -> None:
    done = subprocess.run([sys.executable, "-c", TRAIN], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
