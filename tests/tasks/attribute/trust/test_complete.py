import pytest
import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.integrated import integrated_gradients
from foldproof.tasks.attribute.trust.checks import completeness

WEIGHT = torch.arange(1.0, 13.0, dtype=torch.float64).view(4, 3)


def windows(seed: int, samples: int = 30) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, 4, 3, generator=generator, dtype=torch.float64)


def curved(points: Tensor, rows: Tensor) -> Tensor:
    return torch.tanh((points * WEIGHT).sum((1, 2)) / 20)


def coupled(points: Tensor, rows: Tensor) -> Tensor:
    raw = curved(points, rows)
    return raw - raw.mean()


def detached(points: Tensor, rows: Tensor) -> Tensor:
    mean = points.mean(1, keepdim=True).detach()
    return curved(points - mean, rows)


def test_a_linear_forward_by_hand() -> None:
    x, base = windows(0), windows(1)
    exact = (x - base) * WEIGHT

    def linear(points: Tensor, rows: Tensor) -> Tensor:
        return (points * WEIGHT).sum((1, 2))

    clean = completeness(linear, x, base, exact)
    assert (clean.value, clean.mark, clean.passed) == (0, 0, True)
    exact[:6, 0, 0] += 2e-4 * linear(x, x).std(correction=0)
    off = completeness(linear, x, base, exact)
    assert off.value == pytest.approx(6 / 30)
    assert off.passed is False


def test_coupled_and_detached_forwards_fail_beside_a_clean_one() -> None:
    x, base = windows(0), windows(1)
    for forward, passed in ((curved, True), (coupled, False), (detached, False)):
        attributions, _ = integrated_gradients(forward, x, base, 30, rows=torch.arange(30))
        found = completeness(forward, x, base, attributions)
        assert found.passed is passed, forward
        assert passed or found.value > 0.9


def test_a_constant_forecast_and_nan_attributions() -> None:
    x, base = windows(0), windows(1)

    def constant(points: Tensor, rows: Tensor) -> Tensor:
        return 0 * points.sum((1, 2)) + 3

    assert completeness(constant, x, base, torch.zeros_like(x)).passed
    assert not completeness(constant, x, base, torch.full_like(x, 1e-4)).passed
    assert completeness(curved, x, base, torch.full_like(x, torch.nan)).value == 1
