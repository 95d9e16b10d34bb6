import pytest
import torch
from captum.attr import InputXGradient
from torch import Tensor

from foldproof.tasks.attribute import gradient_times_input, squared_sensitivity
from tests.tasks.attribute.toys import Recurrent, windows

EXACT = {"rtol": 0.0, "atol": 1e-12}


def cubic(x: Tensor) -> Tensor:
    return (x**3).sum((1, 2))


def test_gradient_times_input_by_hand() -> None:
    inputs, weight = windows(), windows(1, seed=1)[0]
    linear = gradient_times_input(lambda x: (x * weight).sum((1, 2)) + 3, inputs, 0.5)
    torch.testing.assert_close(linear, weight * (inputs - 0.5), **EXACT)
    torch.testing.assert_close(
        gradient_times_input(cubic, inputs, inputs.flip(0)),
        3 * inputs**2 * (inputs - inputs.flip(0)),
        **EXACT,
    )


def test_squared_sensitivity_by_hand() -> None:
    inputs, sigma = windows(), torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)
    torch.testing.assert_close(squared_sensitivity(cubic, inputs), 9 * inputs**4, **EXACT)
    torch.testing.assert_close(
        squared_sensitivity(lambda x: cubic(x / sigma), inputs * sigma, scale=sigma),
        9 * inputs**4,
        rtol=1e-12,
        atol=0,
    )


def test_squared_sensitivity_detects_effects_that_the_mean_slope_misses() -> None:
    """SCIENCE: x1 + x2²/2 with standard normal inputs has mean squared slopes 1 and 1."""
    inputs = windows(20_000, 1, 3)
    half = lambda x: x[:, 0, 0] + x[:, 0, 1] ** 2 / 2  # noqa: E731
    mean = squared_sensitivity(half, inputs, chunk=5000).mean((0, 1))
    torch.testing.assert_close(mean, torch.tensor([1.0, 1.0, 0.0]).double(), rtol=0, atol=0.04)
    assert mean[2] == 0


def test_gradient_times_input_agrees_with_captum_on_an_lstm() -> None:
    network, inputs = Recurrent(), windows()
    ours = gradient_times_input(network, inputs)
    oracle = InputXGradient(network.eval()).attribute(inputs.clone().requires_grad_())
    assert (ours - oracle).abs().max() < 1e-12 < ours.abs().max()


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_the_chunk_size_does_not_change_the_result(chunk: int) -> None:
    network, inputs = Recurrent(), windows()
    for method in (gradient_times_input, squared_sensitivity):
        torch.testing.assert_close(
            method(network, inputs, chunk=chunk), method(network, inputs), **EXACT
        )


def test_no_sample_gives_an_empty_attribution() -> None:
    assert gradient_times_input(cubic, windows(0)).shape == (0, 5, 3)
    assert squared_sensitivity(cubic, windows(0)).shape == (0, 5, 3)


@pytest.mark.parametrize("method", [gradient_times_input, squared_sensitivity])
def test_bad_arguments_are_named(method) -> None:
    with pytest.raises(ValueError, match="chunk must be at least 1; it is 0"):
        method(cubic, windows(), chunk=0)
    with pytest.raises(ValueError, match="inputs must be finite"):
        method(cubic, windows() * torch.nan)
    with pytest.raises(ValueError, match="does not depend on the inputs"):
        method(lambda x: cubic(x.detach()), windows())
    with pytest.raises(ValueError, match=r"baseline of shape \(4,\) cannot be broadcast"):
        gradient_times_input(cubic, windows(), torch.zeros(4))
    with pytest.raises(ValueError, match=r"scale of shape \(4,\) cannot be broadcast"):
        squared_sensitivity(cubic, windows(), scale=torch.ones(4))
