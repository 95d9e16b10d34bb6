import pytest
import torch
from torch import Generator, Tensor

from foldproof.tasks.attribute.trust.sensitivity import (
    Attribute,
    infidelity_check,
    median_interval,
    relative_error,
    sensitivity_check,
)

WEIGHT = torch.tensor([3.0, -2.0, 1.0, 0.5, 0.0, 0.0], dtype=torch.float64)


def windows(seed: int, samples: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, 4, 6, generator=generator, dtype=torch.float64)


X, BASE = windows(0), windows(1)


def seeded() -> Generator:
    return torch.Generator().manual_seed(7)


def linear(points: Tensor, rows: Tensor) -> Tensor:
    return (points * WEIGHT).sum((1, 2))


def product(points: Tensor, rows: Tensor) -> Tensor:
    return points[:, 0, 0] * points[:, 1, 1]


def exact(forward: object, inputs: Tensor) -> Tensor:
    return (inputs - BASE) * WEIGHT


def test_no_infidelity_without_interaction() -> None:
    found = infidelity_check(linear, X, BASE, exact(linear, X), 8, seeded())
    assert found.value == pytest.approx(0, abs=1e-20)
    assert found.passed


@pytest.mark.parametrize(
    ("attributions", "value"),
    [(torch.zeros_like(X), 1.0), (2 * exact(linear, X), 1.0), (3 * exact(linear, X), 4.0)],
)
def test_zero_attributions_or_a_multiple_by_hand(attributions: Tensor, value: float) -> None:
    found = infidelity_check(linear, X, BASE, attributions, 8, seeded())
    assert found.value == pytest.approx(value, rel=1e-9)
    assert found.passed is False


def test_permuted_features_fail() -> None:
    """They still add up for every sample: only parts of the features show the error."""
    exchanged = exact(linear, X)[..., [4, 5, 2, 3, 0, 1]]
    torch.testing.assert_close(exchanged.sum((1, 2)), exact(linear, X).sum((1, 2)))
    found = infidelity_check(linear, X, BASE, exchanged, 8, seeded())
    assert found.passed is False
    assert found.value > 0.3


def test_an_interaction_costs_fidelity_and_passes() -> None:
    """The product's change is shared between both factors, as integrated gradients share it."""
    share = torch.zeros_like(X)
    way, middle = X - BASE, (X + BASE) / 2
    share[:, 0, 0] = way[:, 0, 0] * middle[:, 1, 1]
    share[:, 1, 1] = way[:, 1, 1] * middle[:, 0, 0]
    torch.testing.assert_close(
        share.sum((1, 2)), product(X, torch.arange(40)) - product(BASE, torch.arange(40))
    )
    found = infidelity_check(product, X, BASE, share, 8, seeded())
    assert 0.01 < found.value < 0.5
    assert found.passed


def test_two_features_are_inconclusive() -> None:
    found = infidelity_check(
        lambda p, r: p.sum((1, 2)), X[..., :3], BASE[..., :3], X[..., :3], 4, seeded()
    )
    assert found.passed is None


def test_the_interval_of_the_ratio_covers_it() -> None:
    """Draws with ratio 0.25: about 95 of 100 intervals contain it."""
    generator = seeded()
    covered = []
    for _ in range(200):
        size = torch.rand(100, generator=generator, dtype=torch.float64) + 0.5
        actual = size * torch.randn(4, 100, generator=generator, dtype=torch.float64)
        predicted = actual + 0.5 * size * torch.randn(
            4, 100, generator=generator, dtype=torch.float64
        )
        _, (low, high) = relative_error(predicted, actual)
        covered.append(low < 0.25 < high)
    assert 0.9 < sum(covered) / 200 < 0.99


def test_a_smooth_attribution_passes_and_a_jumping_one_fails() -> None:
    def jumping(forward: object, inputs: Tensor) -> Tensor:
        fine = (inputs * 1000).floor() % 2 * 2 - 1  # a sign that flips every 0.001
        return fine * exact(forward, inputs)

    found: dict[str, object] = {}
    methods: dict[str, Attribute] = {"exact": exact, "jumping": jumping}
    for name, method in methods.items():
        check = sensitivity_check(method, linear, X, 3, seeded())
        found[name] = check.passed
        assert check.low <= check.value <= check.high
    assert found == {"exact": True, "jumping": False}


def test_sensitivity_does_not_depend_on_the_features_units() -> None:
    unit = torch.tensor([1.0, 100.0, 0.01, 5.0, 1.0, 1.0], dtype=torch.float64)

    def in_units(forward: object, inputs: Tensor) -> Tensor:
        return exact(forward, inputs / unit)

    plain = sensitivity_check(exact, linear, X, 3, seeded())
    scaled = sensitivity_check(in_units, linear, X * unit, 3, seeded())
    assert scaled.value == pytest.approx(plain.value, rel=1e-9)


def test_one_sample_is_not_enough() -> None:
    with pytest.raises(ValueError, match="at least two samples; there are 1"):
        sensitivity_check(exact, linear, X[:1], 3, seeded())


def test_the_interval_of_a_median() -> None:
    generator = seeded()
    draws = torch.randn(300, 41, generator=generator, dtype=torch.float64)
    inside = [low < 0 < high for low, high in map(median_interval, draws)]
    assert sum(inside) / 300 > 0.9
    low, _ = median_interval(draws[0, :5])
    assert low != low
