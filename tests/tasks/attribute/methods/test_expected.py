import numpy as np
import pytest
import torch
from captum.attr import GradientShap
from torch import Generator, Tensor

from foldproof.tasks.attribute import expected_gradients, integrated_gradients
from foldproof.tasks.attribute.methods.expected import mean_over_draws
from tests.tasks.attribute.toys import Recurrent, windows

EXACT = {"rtol": 0.0, "atol": 1e-12}


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def squares(x: Tensor) -> Tensor:
    return x.square().sum((1, 2))


def test_a_linear_forecast_has_only_the_error_of_the_references() -> None:
    inputs, weight = windows(), windows(1, seed=1)[0]
    linear = lambda x: (x * weight).sum((1, 2)) + 3  # noqa: E731
    one = expected_gradients(linear, inputs, windows(1, seed=2), 9, generator=seeded())
    torch.testing.assert_close(one.attributions, weight * (inputs - windows(1, seed=2)), **EXACT)
    assert max(one.error.abs().max(), one.lag_error.abs().max()) < 1e-15

    references = windows(40, seed=2)
    many = expected_gradients(linear, inputs, references, 4000, generator=seeded())
    expected = weight * (inputs - references.mean(0))
    assert ((many.attributions - expected).abs() < 4.5 * many.error).all()
    spread = weight.abs() * references.std(0, correction=0) / 4000**0.5
    torch.testing.assert_close(many.error, spread.expand_as(inputs), rtol=0.1, atol=0)


def test_squares_in_closed_form() -> None:
    """E (x - x') 2 (x' + α (x - x')) over α is x² - x'²."""
    inputs, references = windows(), windows(40, seed=2)
    found = expected_gradients(squares, inputs, references, 3000, generator=seeded())
    expected = inputs**2 - references.square().mean(0)
    score = (found.attributions - expected) / found.error
    assert score.abs().max() < 4.5
    assert 0.8 < score.square().mean().sqrt() < 1.2  # the error is neither too small nor too large
    by_feature = (found.attributions - expected).sum(1) / found.lag_error
    assert by_feature.abs().max() < 4.0
    assert 0.6 < by_feature.square().mean().sqrt() < 1.4


def test_with_nodes_every_draw_is_an_integrated_gradient() -> None:
    network, inputs, references = Recurrent(), windows(), windows(4, seed=2)
    found = expected_gradients(network, inputs, references, 6, generator=seeded(), nodes=20)
    picked = torch.randint(4, (7, 6), generator=seeded())
    each = [integrated_gradients(network, inputs, references[picked[:, d]])[0] for d in range(6)]
    torch.testing.assert_close(found.attributions, torch.stack(each).mean(0), **EXACT)
    torch.testing.assert_close(found.error, torch.stack(each).std(0) / 6**0.5, **EXACT)
    sums = torch.stack(each).sum(2)
    torch.testing.assert_close(found.lag_error, sums.std(0) / 6**0.5, **EXACT)


def test_agrees_with_captum_for_the_same_draws() -> None:
    network, inputs, references = Recurrent().eval(), windows(), windows(30, seed=2)
    draws = 50
    np.random.seed(5)
    oracle = GradientShap(network).attribute(
        inputs.clone(), references, n_samples=draws, stdevs=0.0
    )
    np.random.seed(5)  # captum's own order: all references, then all places
    picked = torch.from_numpy(np.random.choice(30, draws * 7)).view(7, draws)
    alpha = torch.from_numpy(np.random.uniform(0, 1, draws * 7).astype(np.float32)).double()
    ours = mean_over_draws(
        lambda points, _: network(points),
        inputs,
        references,
        picked,
        alpha.view(7, draws, 1),
        torch.ones(1).double(),
        64,
    )
    assert (ours.attributions - oracle).abs().max() < 1e-6 < 1e-3 < oracle.abs().max()


@pytest.mark.parametrize("chunk", [1, 3, 40, 10_000])
@pytest.mark.parametrize("nodes", [None, 3])
def test_the_chunk_size_does_not_change_the_result(chunk: int, nodes: int | None) -> None:
    network, inputs, references = Recurrent(), windows(), windows(4, seed=2)
    whole, parts = (
        expected_gradients(
            network, inputs, references, 8, generator=seeded(), nodes=nodes, chunk=size
        )
        for size in (256, chunk)
    )
    for name in ("attributions", "error", "lag_error"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), **EXACT)


@pytest.mark.parametrize("chunk", [1, 5, 40])
def test_forward_gets_the_sample_number_of_every_point(chunk: int) -> None:
    factor = torch.arange(1, 8).double()
    plain, scaled = (
        expected_gradients(
            lambda points, rows, scale=scale: scale[rows] * squares(points),
            windows(),
            windows(4, seed=2),
            5,
            generator=seeded(),
            chunk=chunk,
            rows=torch.arange(7),
        )
        for scale in (torch.ones(7).double(), factor)
    )
    expected = factor.view(-1, 1, 1) * plain.attributions
    torch.testing.assert_close(scaled.attributions, expected, **EXACT)


def test_one_draw_has_no_error_and_no_sample_no_attribution() -> None:
    single = expected_gradients(squares, windows(), windows(3), 1, generator=seeded())
    assert single.error.isnan().all()
    assert single.lag_error.isnan().all()
    none = expected_gradients(squares, windows(0), windows(3), 2, generator=seeded())
    assert none.attributions.shape == none.error.shape == (0, 5, 3)
    assert none.lag_error.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"references": windows(0)}, r"at least one window .* \(R, 5, 3\).*\(0, 5, 3\)"),
        ({"references": windows(3, length=4)}, r"\(R, 5, 3\); their shape is \(3, 4, 3\)"),
        ({"references": windows(3) * torch.inf}, "references must be finite"),
        ({"inputs": windows()[:, 0]}, r"windows \(B, T, F\)"),
        ({"inputs": windows() * torch.nan}, "inputs must be finite"),
        ({"draws": 0}, "draws must be at least 1"),
        ({"nodes": 0}, "nodes must be at least 1"),
        ({"chunk": 0}, "chunk must be at least 1"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    arguments = {"inputs": windows(), "references": windows(3), "generator": seeded()} | change
    with pytest.raises(ValueError, match=message):
        expected_gradients(squares, **arguments)
