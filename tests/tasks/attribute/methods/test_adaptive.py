"""Only samples whose attributions do not add up get more nodes; the rest is reported."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from foldproof.tasks.attribute import integrated_gradients, resolved_gradients
from foldproof.tasks.attribute.methods.adaptive import forecast_spread
from foldproof.tasks.attribute.methods.integrated import RULES, quadrature
from foldproof.tasks.attribute.unit.inputs import unit_inputs
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import TrainedUnit
from tests.variants import RESOLVED


def steep(rate: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """tanh(rate x) of a sample's only cell: the steeper, the more nodes."""
    return lambda points, rows: torch.tanh(rate[rows] * points[:, 0])


def cells(count: int = 40) -> Tensor:
    return torch.linspace(-2, 2, count, dtype=torch.float64).unsqueeze(1)


@pytest.mark.parametrize("nodes", [1, 2, 5, 20])
def test_gauss_legendre_is_exact_for_polynomials_up_to_its_degree(nodes: int) -> None:
    place, weight = quadrature(nodes, torch.zeros(1, dtype=torch.float64))
    for degree in range(2 * nodes):
        assert (weight * place**degree).sum().item() == pytest.approx(1 / (degree + 1), rel=1e-12)
    missed = (weight * place ** (2 * nodes)).sum() - 1 / (2 * nodes + 1)
    assert missed < -1e-13 or nodes == 20


def test_midpoint_has_equal_pieces() -> None:
    place, weight = quadrature(4, torch.zeros(1), "midpoint")
    torch.testing.assert_close(place, torch.tensor([0.125, 0.375, 0.625, 0.875]))
    torch.testing.assert_close(weight, torch.full((4,), 0.25))


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_has_a_node_on_an_end(rule: str) -> None:
    for nodes in (1, 2, 7, 64):
        place, weight = quadrature(nodes, torch.zeros(1, dtype=torch.float64), rule)
        assert 0 < place.min() <= place.max() < 1
        assert weight.sum().item() == pytest.approx(1)


def test_only_steep_samples_get_more_nodes() -> None:
    inputs, given = cells(), []
    hard = torch.arange(40) % 5 == 0
    rate = torch.where(hard, 8.0, 0.125).double()
    forward = steep(rate)

    def counted(points: Tensor, rows: Tensor) -> Tensor:
        if points.requires_grad:
            given.append(rows)
        return forward(points, rows)

    paths = resolved_gradients(counted, inputs, 3.0, 8, rows=torch.arange(40))
    per_sample = torch.cat(given).bincount(minlength=40)
    assert (per_sample[~hard] == 8).all()
    assert (per_sample[hard] > 8).sum() >= 5
    assert paths.points == pytest.approx(per_sample.double().mean().item())
    assert paths.nodes == per_sample.max() + 8 >> 1  # 8 + 16 + ... + n = 2 n - 8
    assert paths.unresolved == 0
    exact = torch.tanh(rate * inputs[:, 0]) - torch.tanh(rate * 3)
    spread = torch.tanh(rate * inputs[:, 0]).std(correction=0)
    torch.testing.assert_close(
        paths.error, (paths.attributions[:, 0] - exact).abs() / spread, rtol=1e-3, atol=1e-13
    )


def test_the_unresolved_share_is_reported_and_shrinks_with_doublings() -> None:
    rate = torch.linspace(0.1, 40, 40, dtype=torch.float64)
    shares = [
        resolved_gradients(
            steep(rate), cells(), 3.0, 4, doublings=effort, rows=torch.arange(40)
        ).unresolved
        for effort in (0, 1, 2, 4)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.5 > 0.25 > shares[-1] > 0


def test_without_doublings_it_is_plain_integrated_gradients() -> None:
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)).double()
    inputs = torch.randn(9, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected, gap = integrated_gradients(network, inputs, 0.5, 5)
    paths = resolved_gradients(network, inputs, 0.5, 5, doublings=0)
    torch.testing.assert_close(paths.attributions, expected, rtol=0, atol=1e-14)
    spread = network(inputs).std(correction=0).detach()
    torch.testing.assert_close(paths.error, gap.abs() / spread, rtol=1e-6, atol=1e-14)
    assert (paths.nodes, paths.points) == (5, 5)


def test_midpoint_resolves_kinks_better_than_gauss_legendre() -> None:
    generator = torch.Generator().manual_seed(3)
    network = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0)).double()
    for weight in network.parameters():
        weight.data = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    inputs = torch.randn(200, 6, generator=generator, dtype=torch.float64)
    error = {
        rule: resolved_gradients(network, inputs, -inputs.roll(1, 0), 300, doublings=0, rule=rule)
        .error.square()
        .mean()
        .sqrt()
        .item()
        for rule in RULES
    }
    assert error["midpoint"] < 0.8 * error["gauss_legendre"] < 4e-3


def test_the_spread_of_one_forecast_is_its_change_and_of_none_is_one() -> None:
    one = torch.tensor([3.0], dtype=torch.float64)
    assert forecast_spread(one, torch.tensor([-0.5])) == 0.5
    assert forecast_spread(one, torch.tensor([0.0])) == pytest.approx(3e-9)
    assert forecast_spread(torch.tensor([1.0, 3.0]), torch.zeros(2)) == 1
    assert forecast_spread(torch.zeros(4), torch.zeros(4)) > 0
    none = resolved_gradients(lambda x: x.sum(1), cells()[:0], 0.0)
    assert (none.attributions.shape, none.unresolved) == ((0, 1), 0)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
@pytest.mark.parametrize("variant", RESOLVED)
def test_every_variant_is_complete_within_tolerance(
    variant: str, tolerance: float, panel: Panel, trained: Callable[[str], TrainedUnit]
) -> None:
    """The gap is recomputed from the network's own forecasts."""
    if variant == "edain":  # its power transform bends at 0
        tolerance = max(tolerance, 1e-7)
    prepared = unit_inputs(trained(variant), panel)
    chosen = prepared.test[torch.arange(0, len(prepared.test), 5)][:48]
    inputs, baseline = (
        prepared.windows(chosen),
        prepared.windows(prepared.train[:: len(prepared.train) // 48]),
    )
    baseline = baseline[: len(chosen)].flip(0)
    forward = prepared.forward(chosen)
    rows = torch.arange(len(chosen))
    paths = resolved_gradients(forward, inputs, baseline, 8, tolerance=tolerance, rows=rows)
    with torch.no_grad():
        ends = forward(inputs, rows), forward(baseline, rows)
    gap = paths.attributions.sum((1, 2)) - (ends[0] - ends[1])
    assert (gap.abs() <= tolerance * ends[0].std(correction=0)).all()
    assert paths.unresolved == 0
    assert paths.attributions.abs().sum((1, 2)).min() > 0


@pytest.mark.parametrize("variant", ["instance_norm", "revin"])
def test_a_detached_spread_stays_unresolved(
    variant: str, panel: Panel, trained: Callable[[str], TrainedUnit], monkeypatch
) -> None:
    """The fault of RevIN's published code: values the same, gradients wrong."""
    from foldproof.models.normalizers import window

    sound = window.window_moments
    prepared = unit_inputs(trained(variant), panel)
    chosen = prepared.test[:48]
    inputs, baseline = prepared.windows(chosen), prepared.windows(prepared.train[:48])
    clean = resolved_gradients(prepared.forward(chosen), inputs, baseline, 8, rows=torch.arange(48))
    monkeypatch.setattr(
        window, "window_moments", lambda *given: tuple(one.detach() for one in sound(*given))
    )
    faulty = resolved_gradients(
        prepared.forward(chosen), inputs, baseline, 8, doublings=2, rows=torch.arange(48)
    )
    assert clean.unresolved == 0
    assert faulty.unresolved > 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tolerance": 0.0}, "tolerance must be above 0, such as 0.0001; it is 0.0"),
        ({"tolerance": math.nan}, "tolerance must be above 0"),
        ({"doublings": -1}, "doublings must be at least 0; it is -1"),
        ({"nodes": 0}, "nodes must be at least 1; it is 0"),
        ({"chunk": 0}, "chunk must be at least 1; it is 0"),
        ({"rule": "simpson"}, "no quadrature rule 'simpson'; there are gauss_legendre, midpoint"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    arguments = {"forward": lambda x: x.sum(1), "inputs": cells(), "baseline": 0.0, **change}
    with pytest.raises(ValueError, match=message):
        resolved_gradients(**arguments)


def test_errors_are_relative_to_the_given_spread() -> None:
    """For single forecasts of a unit the spread is that of all its forecasts."""
    inputs = torch.tensor([[1.0], [3.0]]).double()

    def fourth(points: Tensor) -> Tensor:
        return points.squeeze(1) ** 4

    own, given_spread = (
        resolved_gradients(fourth, inputs, 0.0, 1, doublings=0, spread=spread)
        for spread in (None, 8.0)
    )
    torch.testing.assert_close(own.error * 40, given_spread.error * 8)  # 1 and 81 deviate by 40
    assert given_spread.error[0] == pytest.approx((1 - 4 * 0.5**3) / 8, abs=1e-12)
