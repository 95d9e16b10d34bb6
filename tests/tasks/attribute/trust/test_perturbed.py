import pytest
import torch
from captum.attr import IntegratedGradients, Saliency
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max as captum_sensitivity
from torch import Tensor, nn

from foldproof.tasks.attribute.trust.sensitivity import (
    distances,
    max_sensitivity,
    predicted,
    responses,
)

DRAWS, SAMPLES = 6, 9
DOUBLE = torch.float64


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.lstm = nn.LSTM(3, 6, batch_first=True)
            self.head = nn.Linear(6, 1)
        self.double().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1]).squeeze(-1)


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def flat(several: Tensor) -> Tensor:
    """(N, B, T, F) -> captum's order (B * N, T, F), the draws of a sample side by side."""
    return several.transpose(0, 1).flatten(0, 1)


def infidelity(forward, inputs: Tensor, attributions: Tensor, weights: Tensor, moved: Tensor):
    """Mean squared error (B,) of the predicted responses."""
    error = predicted(attributions, weights) - responses(forward, inputs, moved)
    return error.square().mean(0)


@pytest.fixture(scope="module")
def network() -> Recurrent:
    return Recurrent()


X, BASE = draw(SAMPLES, 5, 3, seed=0), draw(SAMPLES, 5, 3, seed=1)


def test_infidelity_of_a_gradient_equals_captums(network: Recurrent) -> None:
    """Yeh's form: the attribution is per unit of the input, the weight is the perturbation."""
    attributions = Saliency(network).attribute(X.clone().requires_grad_(), abs=False).detach()
    moved = X - 0.3 * draw(DRAWS, SAMPLES, 5, 3, seed=2)
    found = infidelity(lambda p, _: network(p), X, attributions, X - moved, moved)
    expected = captum_infidelity(
        network, lambda x: (x - flat(moved), flat(moved)), X, attributions, n_perturb_samples=DRAWS
    )
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14)


def test_infidelity_of_integrated_gradients_equals_captums(network: Recurrent) -> None:
    """The share of the path, as in captum for attributions that are multiplied by inputs."""
    attributions = IntegratedGradients(network).attribute(X, BASE, n_steps=30)
    put = draw(DRAWS, SAMPLES, 5, 3, seed=3) > 0
    moved = torch.where(put, BASE, X)
    found = infidelity(lambda p, _: network(p), X, attributions, put.to(X), moved)
    expected = captum_infidelity(
        network,
        lambda x: (flat(put).to(x), flat(moved)),
        X,
        attributions,
        n_perturb_samples=DRAWS,
    )
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-12)


def test_a_linear_forward_has_no_infidelity_unlike_a_wrong_attribution() -> None:
    weight = draw(5, 3, seed=4)
    put = draw(DRAWS, SAMPLES, 5, 3, seed=5) > 0
    exact = (X - BASE) * weight

    def error(attributions: Tensor) -> Tensor:
        moved = torch.where(put, BASE, X)
        return infidelity(lambda p, _: (p * weight).sum((1, 2)), X, attributions, put.to(X), moved)

    assert error(exact).max() < 1e-24
    assert error(2 * exact).min() > 0.01
    one_cell = exact.clone()
    one_cell[:, 0, 0] += 1
    share = put[:, :, 0, 0].to(X).mean(0)  # missed by 1 where that cell is put to the baseline
    torch.testing.assert_close(error(one_cell), share, rtol=1e-10, atol=1e-12)


def test_max_sensitivity_equals_captums(network: Recurrent) -> None:
    explain = IntegratedGradients(network)
    moved = X + 0.02 * (2 * torch.rand(DRAWS, SAMPLES, 5, 3, dtype=DOUBLE) - 1)

    def attribute(inputs: Tensor, baseline: Tensor) -> Tensor:
        return explain.attribute(inputs, baseline, n_steps=20)

    found = max_sensitivity(attribute(X, BASE), [attribute(one, BASE) for one in moved])

    def explanation(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        repeats = len(inputs[0]) // SAMPLES
        return (attribute(inputs[0], BASE.repeat_interleave(repeats, 0)),)

    expected = captum_sensitivity(
        explanation, X, lambda inputs, radius: (flat(moved),), n_perturb_samples=DRAWS
    )
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-12)


def test_max_sensitivity_and_distances_by_hand() -> None:
    usual = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]], dtype=DOUBLE)
    moved = [usual + 1, usual - torch.tensor([[[0.0, 10.0]], [[0.0, 0.5]]], dtype=DOUBLE)]
    expected = torch.tensor([2.0, 2**0.5], dtype=DOUBLE)  # 10 / 5, and a norm of 0 counts as 1
    torch.testing.assert_close(max_sensitivity(usual, moved), expected)
    torch.testing.assert_close(distances(usual), torch.tensor([1.0, 5.0], dtype=DOUBLE))
