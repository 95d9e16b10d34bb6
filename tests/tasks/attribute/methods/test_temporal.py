import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from foldproof.tasks.attribute import integrated_gradients, temporal_integrated_gradients
from tests.tasks.attribute.toys import Recurrent, windows

EXACT = {"rtol": 0.0, "atol": 1e-12}


def decayed(x: Tensor) -> Tensor:
    """Sum of 2^-age x² over the rows of the window."""
    weight = 0.5 ** torch.arange(x.shape[1] - 1, -1, -1).double()
    return (x.square() * weight.view(-1, 1)).sum((1, 2))


def test_each_step_counts_when_it_arrives() -> None:
    """Cropped to 1..t the last row has age 0, whatever the window does with it later."""
    inputs, baseline = windows(), windows(seed=2)
    found, gap = temporal_integrated_gradients(decayed, inputs, baseline, nodes=2)
    torch.testing.assert_close(found, inputs**2 - baseline**2, **EXACT)
    torch.testing.assert_close(gap, torch.zeros(7, 5).double(), **EXACT)
    whole, _ = integrated_gradients(decayed, inputs, baseline, 2)
    torch.testing.assert_close(found[:, -1], whole[:, -1], **EXACT)
    assert (found - whole)[:, :-1].abs().max() > 0.5


def test_a_window_of_one_row_has_ordinary_integrated_gradients() -> None:
    network, inputs, baseline = Recurrent(), windows(length=1), windows(length=1, seed=2)
    found = temporal_integrated_gradients(network, inputs, baseline)
    expected = integrated_gradients(network, inputs, baseline)
    torch.testing.assert_close(found[0], expected[0], **EXACT)
    torch.testing.assert_close(found[1][:, 0], expected[1], **EXACT)


def test_agrees_with_the_definition_by_captum_on_cropped_windows() -> None:
    """tint.attr.TemporalIntegratedGradients (time_interpret 0.3.0), by its documentation.

    "It crops the sequence up to a time, and only moves this last time from a baseline to its
    original value"; the attribution of a time is that of the last row of its crop. Here the crop
    is explicit, earlier rows equal the baseline's, and captum integrates the path: rows that do
    not move get 0, the last row gets the attribution of the step.
    """
    network, inputs, baseline = Recurrent(), windows(), windows(seed=2)
    ours, gap = temporal_integrated_gradients(network, inputs, baseline, 20)
    network.eval()
    for t in range(1, 6):
        crop, start = inputs[:, :t], inputs[:, :t].clone()
        start[:, -1] = baseline[:, t - 1]
        oracle = IntegratedGradients(network).attribute(
            crop, start, n_steps=20, method="gausslegendre"
        )
        assert (ours[:, t - 1] - oracle[:, -1]).abs().max() < 1e-6 < oracle[:, -1].abs().max()
        assert not oracle[:, :-1].any()
        change = (network(crop) - network(start)).detach()
        torch.testing.assert_close(ours[:, t - 1].sum(1) - gap[:, t - 1], change, **EXACT)
    assert gap.abs().max() < 1e-12


def test_agrees_with_the_public_package_where_it_is_installed() -> None:
    tint = pytest.importorskip("tint.attr", reason="time_interpret is not installed")
    network, inputs, baseline = Recurrent(), windows(), windows(seed=2)
    ours, _ = temporal_integrated_gradients(network, inputs, baseline, 20)
    oracle = tint.TemporalIntegratedGradients(network.eval()).attribute(
        inputs, baseline, n_steps=20, method="gausslegendre"
    )
    assert (ours - oracle).abs().max() < 1e-6 < oracle.abs().max()


@pytest.mark.parametrize("chunk", [1, 3, 10_000])
def test_the_chunk_size_does_not_change_the_result(chunk: int) -> None:
    network, inputs = Recurrent(), windows()
    parts = temporal_integrated_gradients(network, inputs, 0.0, 4, chunk=chunk)
    whole = temporal_integrated_gradients(network, inputs, 0.0, 4)
    torch.testing.assert_close(parts[0], whole[0], **EXACT)
    torch.testing.assert_close(parts[1], whole[1], **EXACT)


def test_no_sample_gives_an_empty_attribution() -> None:
    found, gap = temporal_integrated_gradients(decayed, windows(0), 0.0, 2)
    assert found.shape == (0, 5, 3)
    assert gap.shape == (0, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": windows()[:, 0]}, r"windows \(B, T, F\)"),
        ({"inputs": windows() * torch.nan}, "inputs must be finite"),
        ({"baseline": torch.zeros(4)}, r"baseline of shape \(4,\)"),
        ({"nodes": 0}, "nodes must be at least 1"),
        ({"chunk": 0}, "chunk must be at least 1"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    arguments = {"inputs": windows(), "baseline": 0.0} | change
    with pytest.raises(ValueError, match=message):
        temporal_integrated_gradients(decayed, **arguments)
