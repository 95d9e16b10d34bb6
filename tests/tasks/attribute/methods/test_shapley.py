from itertools import permutations

import pytest
import torch
from captum.attr import ShapleyValues, ShapleyValueSampling
from torch import Generator, Tensor

from foldproof.tasks.attribute import shapley_values
from foldproof.tasks.attribute.methods import shapley as module
from tests.tasks.attribute.toys import Recurrent, windows

EXACT = {"rtol": 0.0, "atol": 1e-12}
MANY = tuple((f,) for f in range(10))


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def three_way(x: Tensor) -> Tensor:
    """x1 x2 + x3 x4 x5 + x6² of the newest row; the other features are dead."""
    x = x[:, -1]
    return x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3] * x[:, 4] + x[:, 5] ** 2


def three_way_values(x: Tensor) -> Tensor:
    """By symmetry from a zero baseline: partners share a product evenly."""
    pair, triple = x[:, -1, 0] * x[:, -1, 1] / 2, x[:, -1, 2:5].prod(1) / 3
    dead = torch.zeros_like(pair)
    lone = x[:, -1, 5] ** 2
    shares = [pair, pair, triple, triple, triple, lone]
    return torch.stack(shares + [dead] * (x.shape[2] - 6), 1)


def test_products_are_shared_evenly() -> None:
    inputs = windows(features=8)
    found = shapley_values(three_way, inputs, 0.0, MANY[:8], generator=seeded())
    torch.testing.assert_close(found.values, three_way_values(inputs), **EXACT)
    assert not found.error.any()


def test_grouped_partners_share_nothing_and_a_feature_in_no_group_stays() -> None:
    inputs = windows(features=6)
    found = shapley_values(three_way, inputs, 0.0, ((0, 1), (2, 3)), generator=seeded())
    newest = inputs[:, -1]
    expected = torch.stack([newest[:, 0] * newest[:, 1], newest[:, 2:5].prod(1)], 1)
    torch.testing.assert_close(found.values, expected, **EXACT)


def test_sampled_orders_are_exact_for_pairs_and_within_their_error_for_more() -> None:
    inputs = windows(60, features=10)
    expected = three_way_values(inputs)
    found = shapley_values(three_way, inputs, 0.0, MANY, generator=seeded(), pairs=100)
    pairwise = [0, 1, 5, 6, 7, 8, 9]
    torch.testing.assert_close(found.values[:, pairwise], expected[:, pairwise], **EXACT)
    assert found.error[:, pairwise].max() < 1e-12
    score = ((found.values - expected) / found.error)[:, 2:5]
    assert 0.75 < score.square().mean().sqrt() < 1.3
    torch.testing.assert_close(found.values.sum(1), three_way(inputs), **EXACT)


def test_a_singleton_function_by_brute_force_over_all_orders() -> None:
    network, inputs, fill = Recurrent(features=4).eval(), windows(features=4), windows(1, 5, 4, 2)
    groups = ((2,), (0, 3), (1,))
    found = shapley_values(network, inputs, fill, groups, generator=seeded())
    expected = torch.zeros(7, 3).double()
    for order in permutations(range(3)):
        window = fill.expand_as(inputs).clone()
        for g in order:
            before = network(window).detach()
            window[:, :, list(groups[g])] = inputs[:, :, list(groups[g])]
            expected[:, g] += (network(window).detach() - before) / 6
    torch.testing.assert_close(found.values, expected, **EXACT)


def group_numbers(groups: tuple, features: int) -> Tensor:
    number = torch.zeros(1, 1, features, dtype=torch.long)
    for g, group in enumerate(groups):
        number[..., list(group)] = g
    return number


def test_exact_values_agree_with_captum() -> None:
    network, inputs, fill = Recurrent(features=4), windows(features=4), windows(1, 5, 4, 2)
    groups = ((0, 2), (1,), (3,))
    ours = shapley_values(network, inputs, fill, groups, generator=seeded()).values
    oracle = ShapleyValues(network.eval()).attribute(
        inputs, fill, feature_mask=group_numbers(groups, 4)
    )
    for g, group in enumerate(groups):
        assert (ours[:, g] - oracle[:, 0, group[0]]).abs().max() < 1e-6 < ours[:, g].abs().max()


def test_sampled_values_agree_with_captum_for_the_same_orders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EXACT_UP_TO", 1)
    network, inputs, fill = Recurrent(features=4), windows(1, features=4), windows(1, 5, 4, 2)
    groups = ((0,), (1,), (2,), (3,))
    ours = shapley_values(network, inputs, fill, groups, generator=seeded(), pairs=3).values
    drawn = torch.rand(1, 3, 4, generator=seeded(), dtype=torch.float64).argsort(-1)[0]
    orders = [order.tolist() for one in drawn for order in (one, one.flip(0))]
    oracle = ShapleyValueSampling(network.eval())
    oracle.permutation_generator = lambda features, samples: iter(orders)
    theirs = oracle.attribute(inputs, fill, n_samples=6, feature_mask=group_numbers(groups, 4))
    assert (ours - theirs[:, 0]).abs().max() < 1e-6 < 1e-3 < ours.abs().max()


@pytest.mark.parametrize("features", [4, 10])
@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_the_chunk_size_does_not_change_the_result(chunk: int, features: int) -> None:
    network, inputs = Recurrent(features=features), windows(3, features=features)
    whole, parts = (
        shapley_values(
            network, inputs, 0.0, MANY[:features], generator=seeded(), pairs=2, chunk=size
        )
        for size in (256, chunk)
    )
    torch.testing.assert_close(parts.values, whole.values, **EXACT)
    torch.testing.assert_close(parts.error, whole.error, **EXACT)


def test_no_sample_and_a_single_pair() -> None:
    for features in (6, 10):
        groups = MANY[:features]
        none = shapley_values(three_way, windows(0, 5, features), 0.0, groups, generator=seeded())
        assert none.values.shape == none.error.shape == (0, features)
    one = shapley_values(three_way, windows(2, 5, 10), 0.0, MANY, generator=seeded(), pairs=1)
    assert one.error.isnan().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": ((0,), (0, 1))}, r"disjoint.*in several groups: \[0\]"),
        ({"pairs": 0}, "pairs must be at least 1"),
        ({"chunk": 0}, "chunk must be at least 1"),
        ({"inputs": windows() * torch.nan}, "inputs must be finite"),
        ({"baseline": torch.zeros(4)}, r"baseline of shape \(4,\)"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    arguments = {
        "inputs": windows(), "baseline": 0.0, "groups": ((0,), (1, 2)), "generator": seeded()
    } | change  # fmt: skip
    with pytest.raises(ValueError, match=message):
        shapley_values(lambda x: x.sum((1, 2)), **arguments)
