import pytest
import torch
from captum.attr import FeatureAblation
from torch import Tensor

from foldproof.tasks.attribute import feature_masks, group_masks, lag_masks, occlusion
from tests.tasks.attribute.toys import Recurrent, windows

EXACT = {"rtol": 0.0, "atol": 1e-12}
T, F = 5, 3
MASKS = {
    "features": feature_masks(T, F),
    "lags": lag_masks(T, F),
    "groups": group_masks(T, F, ((0, 2), (1,))),
    "cells": torch.eye(T * F, dtype=torch.bool).view(-1, T, F),
}


def product(x: Tensor) -> Tensor:
    """The newest row of feature 0 times the oldest of feature 1, plus feature 2's level."""
    return x[:, -1, 0] * x[:, 0, 1] + x[:, :, 2].sum(1)


@pytest.mark.parametrize("kind", MASKS)
def test_a_linear_forecast_loses_the_share_of_occluded_cells(kind: str) -> None:
    inputs, weight, fill = windows(), windows(1, seed=1)[0], windows(seed=2)
    found = occlusion(lambda x: (x * weight).sum((1, 2)) + 3, inputs, fill, MASKS[kind])
    share = weight * (inputs - fill)
    expected = torch.einsum("btf,mtf->bm", share, MASKS[kind].double())
    torch.testing.assert_close(found, expected, **EXACT)


def test_an_interaction_counts_for_both_partners_alone_and_once_together() -> None:
    inputs = windows()
    both = inputs[:, -1, 0] * inputs[:, 0, 1]
    level = inputs[:, :, 2].sum(1)
    by_feature = occlusion(product, inputs, 0.0, MASKS["features"])
    torch.testing.assert_close(by_feature, torch.stack([both, both, level], 1), **EXACT)
    together = occlusion(product, inputs, 0.0, group_masks(T, F, ((0, 1), (2,))))
    torch.testing.assert_close(together, torch.stack([both, level], 1), **EXACT)
    by_lag = occlusion(product, inputs, 0.0, MASKS["lags"])
    torch.testing.assert_close(by_lag[:, 1:-1], inputs[:, 1:-1, 2], **EXACT)
    torch.testing.assert_close(by_lag[:, 0], both + inputs[:, 0, 2], **EXACT)


@pytest.mark.parametrize("kind", MASKS)
def test_agrees_with_captum_on_an_lstm(kind: str) -> None:
    network, inputs, fill = Recurrent(), windows(), windows(seed=2)
    ours = occlusion(network, inputs, fill, MASKS[kind])
    number = (MASKS[kind].double() * torch.arange(len(MASKS[kind])).view(-1, 1, 1)).sum(0).long()
    oracle = FeatureAblation(network.eval()).attribute(
        inputs, fill, feature_mask=number.unsqueeze(0)
    )
    for m, mask in enumerate(MASKS[kind]):
        assert (ours[:, m : m + 1] - oracle[:, mask]).abs().max() < 1e-12
    assert ours.abs().min() > 0


@pytest.mark.parametrize("chunk", [1, 2, 4, 11, 10_000])
def test_the_chunk_decides_nothing_and_bounds_every_batch(chunk: int) -> None:
    network, inputs, sizes = Recurrent(), windows(), []

    def forward(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return network(x)

    network.eval()
    parts = occlusion(forward, inputs, 0.0, MASKS["cells"], chunk=chunk)
    assert max(sizes) <= chunk
    torch.testing.assert_close(parts, occlusion(network, inputs, 0.0, MASKS["cells"]), **EXACT)


def test_no_sample_or_no_mask_gives_an_empty_result() -> None:
    assert occlusion(product, windows(0), 0.0, MASKS["lags"]).shape == (0, 5)
    assert occlusion(product, windows(), 0.0, MASKS["lags"][:0]).shape == (7, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"masks": MASKS["lags"].double()}, r"masks must be bool .*float64"),
        ({"masks": lag_masks(4, 3)}, r"\(M, 5, 3\).*\(4, 4, 3\)"),
        ({"baseline": torch.zeros(4)}, r"baseline of shape \(4,\)"),
        ({"baseline": torch.nan}, "baseline must be finite"),
        ({"inputs": windows()[0]}, r"windows \(B, T, F\)"),
        ({"chunk": 0}, "chunk must be at least 1"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    arguments = {"inputs": windows(), "baseline": 0.0, "masks": MASKS["lags"]} | change
    with pytest.raises(ValueError, match=message):
        occlusion(product, **arguments)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((), "non-empty"),
        (((0,), ()), "non-empty"),
        (((0, 1), (1,)), r"in several groups: \[1\]"),
        (((0, 3),), r"\[0, 3\).*there is no \[3\]"),
    ],
)
def test_groups_must_be_disjoint_and_known(groups: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        group_masks(T, F, groups)
