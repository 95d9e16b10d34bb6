import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from foldproof.tasks.attribute import integrated_gradients

EXACT = {"rtol": 0.0, "atol": 1e-12}


def double(values: list) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


class Toy(nn.Module):
    """W2 relu(W1 x) + 1: attributions known by hand."""

    def __init__(self, output: int) -> None:
        super().__init__()
        self.first = nn.Parameter(double([[-4, -3, -2], [-1, 0, 1], [2, 3, 4]]))
        self.second = nn.Parameter(double([[-3, -2, -1], [1, 2, 3]]))
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        return (torch.relu(x @ self.first.T) @ self.second.T + 1)[:, self.output]


class Recurrent(nn.Module):
    def __init__(self, features: int = 3, hidden: int = 6) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.lstm = nn.LSTM(features, hidden, batch_first=True)
            self.dropout = nn.Dropout(0.5)
            self.head = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.lstm(x)[0][:, -1])).squeeze(-1)


def windows(samples: int = 7, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(11)
    return torch.randn(samples, 5, 3, generator=generator, dtype=torch.float64).to(dtype)


X = double([[1, 2, 3]])


@pytest.mark.parametrize(("output", "expected"), [(0, [0, -6, -18]), (1, [4, 18, 42])])
@pytest.mark.parametrize("nodes", [1, 2, 20])
def test_toy_network_from_zero_is_exact(output: int, expected: list, nodes: int) -> None:
    attributions, gap = integrated_gradients(Toy(output), X, torch.zeros(3), nodes)
    torch.testing.assert_close(attributions, double([expected]), **EXACT)
    torch.testing.assert_close(gap, double([0]), **EXACT)


@pytest.mark.parametrize(
    ("output", "expected", "total"),
    [
        (0, [4.311213, -1.187643, -18.123570], -15.0),
        (1, [5.171625, 7.352403, 48.475973], 61.0),
    ],
)
def test_kinks_need_many_nodes_and_show_in_the_gap(
    output: int, expected: list, total: float
) -> None:
    baseline = double([-1, 1, -1])
    coarse, coarse_gap = integrated_gradients(Toy(output), X, baseline, 50)
    fine, fine_gap = integrated_gradients(Toy(output), X, baseline, 1000)
    assert 0.05 < (coarse - double([expected])).abs().max() < 0.5
    assert coarse_gap.abs().item() > 0.05
    torch.testing.assert_close(fine, double([expected]), rtol=0, atol=0.03)
    torch.testing.assert_close(fine.sum() - fine_gap.sum(), torch.tensor(total).double())


def test_the_kinked_attributions_by_hand() -> None:
    """Between kinks the network is linear: mean slope = slopes weighted by the pieces' lengths."""
    baseline, way = double([-1, 1, -1]), double([2, 1, 4])
    first, second = Toy(1).first.detach(), Toy(1).second.detach()
    knots = [0.0, 3 / 23, 3 / 19, 1.0]
    slope = torch.zeros(3, dtype=torch.float64)
    for low, high in pairwise(knots):
        on = (first @ (baseline + (low + high) / 2 * way) > 0).double()
        slope += (high - low) * (second[1] * on) @ first
    torch.testing.assert_close(
        way * slope, double([5.171625, 7.352403, 48.475973]), rtol=1e-6, atol=1e-6
    )


def test_linear_model_is_exact_with_one_node() -> None:
    weight = windows(1)[0]
    inputs, baseline = windows(), windows().flip(0)
    attributions, gap = integrated_gradients(
        lambda x: (x * weight).sum((1, 2)) + 3, inputs, baseline, nodes=1
    )
    torch.testing.assert_close(attributions, weight * (inputs - baseline), **EXACT)
    torch.testing.assert_close(gap, torch.zeros(7).double(), **EXACT)


def test_cubic_is_exact_with_two_nodes_and_not_with_one() -> None:
    inputs = windows()[:, 0]
    cubic = lambda x: (x**3 - 2 * x**2).sum(1)  # noqa: E731
    attributions, _ = integrated_gradients(cubic, inputs, 0.5, nodes=2)
    expected = (inputs**3 - 2 * inputs**2) - (0.5**3 - 2 * 0.5**2)
    torch.testing.assert_close(attributions, expected, **EXACT)
    assert integrated_gradients(cubic, inputs, 0.5, nodes=1)[1].abs().max() > 0.1


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 2e-6)])
def test_agrees_with_captum_on_an_lstm(dtype: torch.dtype, tolerance: float) -> None:
    network = Recurrent().to(dtype).eval()
    inputs, baseline = windows(dtype=dtype), windows(dtype=dtype).roll(2, 0)
    ours, gap = integrated_gradients(network, inputs, baseline, 20)
    oracle = IntegratedGradients(network).attribute(
        inputs, baseline, n_steps=20, method="gausslegendre"
    )
    assert (ours - oracle).abs().max() < tolerance * oracle.abs().max()
    assert ours.dtype == gap.dtype == dtype


def test_completeness_on_an_lstm_in_double_precision() -> None:
    network = Recurrent().double()
    inputs, baseline = windows(), windows().roll(1, 0)
    attributions, gap = integrated_gradients(network, inputs, baseline)
    network.eval()
    change = network(inputs) - network(baseline)
    assert gap.abs().max() < 1e-13 < 1e-2 < change.abs().max()
    torch.testing.assert_close(attributions.sum((1, 2)) - gap, change.detach(), **EXACT)


@pytest.mark.parametrize("chunk", [1, 3, 20, 47, 10_000])
def test_the_chunk_size_does_not_change_the_result(chunk: int) -> None:
    inputs, baseline = windows(), windows().roll(1, 0)
    network = Recurrent().double()
    whole = integrated_gradients(network, inputs, baseline)
    parts = integrated_gradients(network, inputs, baseline, chunk=chunk)
    torch.testing.assert_close(parts[0], whole[0], **EXACT)
    torch.testing.assert_close(parts[1], whole[1], **EXACT)


def test_no_batch_is_larger_than_the_chunk() -> None:
    sizes = []

    def forward(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return x.square().sum((1, 2))

    integrated_gradients(forward, windows(40), 0.0, nodes=7, chunk=16)
    assert max(sizes) <= 16
    assert sum(sizes) == 40 * (7 + 2)


def test_coupled_samples_show_in_the_gap_and_a_clean_network_does_not() -> None:
    network = Recurrent().double()
    inputs, baseline = windows(), torch.zeros(5, 3).double()

    def coupled(x: Tensor) -> Tensor:
        forecast = network(x)
        return forecast - forecast.mean()

    network.eval()
    scale = network(inputs).std().item()
    _, clean = integrated_gradients(network, inputs, baseline)
    _, fault = integrated_gradients(coupled, inputs, baseline)
    assert clean.abs().max() < 1e-12
    assert fault.abs().max() > 0.1 * scale


def test_detached_statistics_show_in_the_gap() -> None:
    def normalized(x: Tensor, *, detach: bool) -> Tensor:
        spread = x.std(1, keepdim=True)
        return (x / (spread.detach() if detach else spread)).square().mean(1)[:, 0] + x[:, 0, 1]

    inputs, baseline = windows(), windows().roll(1, 0)
    gaps = {
        detach: integrated_gradients(
            lambda x, detach=detach: normalized(x, detach=detach), inputs, baseline, 200
        )[1]
        for detach in (False, True)
    }
    assert gaps[False].abs().max() < 1e-6
    assert gaps[True].abs().max() > 1e-2


def test_an_unused_cell_gets_nothing() -> None:
    attributions, _ = integrated_gradients(lambda x: x[:, -1, 0].exp(), windows(), 0.0)
    assert attributions[:, :-1].abs().max() == 0
    assert attributions[:, :, 1:].abs().max() == 0
    assert attributions[:, -1, 0].abs().min() > 0


def test_eval_mode_lasts_for_the_call_only() -> None:
    network = Recurrent().double()
    network.train()
    network.dropout.eval()
    before = [module.training for module in network.modules()]
    trained_mode, _ = integrated_gradients(network, windows(), 0.0)
    bound, _ = integrated_gradients(network.forward, windows(), 0.0)
    assert [module.training for module in network.modules()] == before
    evaluated, _ = integrated_gradients(network.eval(), windows(), 0.0)
    torch.testing.assert_close(trained_mode, evaluated, **EXACT)
    torch.testing.assert_close(bound, evaluated, **EXACT)


def test_modes_are_restored_after_an_error() -> None:
    network = Recurrent().double().train()
    with pytest.raises(ValueError, match="finite"):
        integrated_gradients(network, windows().fill_(math.nan), 0.0)
    assert all(module.training for module in network.modules())
    with pytest.raises(RuntimeError):
        integrated_gradients(network, windows()[:, :, :2], 0.0)
    assert all(module.training for module in network.modules())


def test_parameters_need_no_gradient_and_get_none() -> None:
    network = Recurrent().double()
    first, _ = integrated_gradients(network, windows(), 0.0)
    assert all(parameter.grad is None for parameter in network.parameters())
    network.requires_grad_(False)
    with torch.no_grad():
        second, _ = integrated_gradients(network, windows(), 0.0)
    torch.testing.assert_close(second, first, **EXACT)
    assert not second.requires_grad


def test_inputs_are_not_changed() -> None:
    inputs, baseline = windows().requires_grad_(), windows().roll(1, 0)
    kept = inputs.detach().clone()
    attributions, gap = integrated_gradients(Recurrent().double(), inputs, baseline)
    assert not attributions.requires_grad
    assert not gap.requires_grad
    assert inputs.grad is None
    torch.testing.assert_close(inputs.detach(), kept, rtol=0, atol=0)


def test_no_sample_gives_nothing() -> None:
    attributions, gap = integrated_gradients(Recurrent().double(), windows()[:0], 0.0)
    assert attributions.shape == (0, 5, 3)
    assert gap.shape == (0,)


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda x: x.sum(1), r"shape \(7,\); it returned \(7, 3\)"),
        (lambda x: x.sum(), r"it returned \(\)"),
        (lambda x: x.sum((1, 2)).tolist(), "it returned list"),
        (lambda x: x.detach().sum((1, 2)), "autograd graph"),
        (lambda x: torch.zeros(len(x), dtype=x.dtype, requires_grad=True), "autograd graph"),
        (lambda x: x.sum((1, 2)) * math.inf, "non-finite"),
        (lambda x: (x * 0).sum((1, 2)).sqrt(), "gradient of forward is not finite"),
    ],
)
def test_bad_forwards_are_named(forward, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        integrated_gradients(forward, windows(), 0.0, nodes=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"baseline": torch.zeros(4)}, r"shape \(4,\) cannot be broadcast .* \(7, 5, 3\)"),
        ({"baseline": math.nan}, "baseline must be finite"),
        (
            {"inputs": windows().index_fill(0, torch.tensor(2), math.inf)},
            r"15 of 105 .* \[2, 0, 0\]",
        ),
        ({"inputs": torch.ones(7, 5, 3, dtype=torch.int64)}, "floating-point"),
        ({"inputs": torch.tensor(1.0)}, "sample dimension"),
        ({"nodes": 0}, "nodes must be at least 1; it is 0"),
        ({"chunk": 0}, "chunk must be at least 1; it is 0"),
        ({"chunk": 2.5}, "chunk must be a whole number; it is 2.5"),
        ({"inputs": windows()[0]}, r"if inputs are one window \(T, F\), .* as in inputs\[None\]"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    arguments = {"forward": Recurrent().double(), "inputs": windows(), "baseline": 0.0, **change}
    with pytest.raises(ValueError, match=message):
        integrated_gradients(**arguments)


def test_numpy_integers_count_like_pythons() -> None:
    network, inputs = Recurrent().double(), windows()
    found = integrated_gradients(network, inputs, 0.0, np.int64(6), chunk=np.int32(9))
    expected = integrated_gradients(network, inputs, 0.0, 6, chunk=9)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
