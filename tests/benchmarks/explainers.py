"""The attribution methods scored against known truth, behind one signature."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from foldproof.tasks.attribute import integrated_gradients
from foldproof.tasks.attribute.methods.expected import expected_gradients
from foldproof.tasks.attribute.methods.occlusion import occlusion
from foldproof.tasks.attribute.network.gradients import Forward, eval_mode, gradients_at

Explain = Callable[[Forward, Tensor, Tensor], Tensor]
"""(forward, inputs (B, T, F), baseline (B, T, F)) -> attributions (B, T, F).

Row b of the baseline belongs to sample b; all rows together are draws from the training block, for
methods that average over many. Further arguments of a method are set by a lambda here.
"""
DRAWS = 50
"""Number of baselines averaged by expected gradients."""
NODES = 10
"""Gauss-Legendre nodes: 50, at five times the cost, change no figure by more than a hundredth."""


def slope(forward: Forward, inputs: Tensor, baseline: Tensor) -> Tensor:
    """The gradient at the sample; the baseline is not used."""
    parts = torch.arange(len(inputs)).split(256)
    with eval_mode(forward):
        found = [gradients_at(lambda x, _: forward(x), inputs[rows], rows) for rows in parts]
    return torch.cat(found)


def cells(inputs: Tensor) -> Tensor:
    """(T * F, T, F) bool: each cell of a window alone."""
    return torch.eye(inputs[0].numel(), dtype=torch.bool).view(-1, *inputs.shape[1:])


METHODS: Mapping[str, Explain] = MappingProxyType(
    {
        "integrated gradients": lambda f, x, base: integrated_gradients(f, x, base, NODES)[0],
        "integrated gradients, mean window": lambda f, x, base: integrated_gradients(
            f, x, base.mean(0), NODES
        )[0],
        "gradient x (input - baseline)": lambda f, x, base: slope(f, x, base) * (x - base),
        "gradient": slope,
        "expected gradients": lambda f, x, base: (
            expected_gradients(
                f, x, base, DRAWS, generator=torch.Generator().manual_seed(0)
            ).attributions
        ),
        "occlusion": lambda f, x, base: occlusion(f, x, base, cells(x)).view_as(x),
    }
)
"""Every scored method."""
OURS: Mapping[str, Explain] = MappingProxyType(
    {name: method for name, method in METHODS.items() if "mean window" not in name}
)
"""The methods run on the white boxes, where the baseline is 0 for all samples."""


def captum_integrated_gradients(forward: Forward, inputs: Tensor, baseline: Tensor) -> Tensor:
    """Integrated gradients by captum with its defaults, 50 steps, for comparison."""
    from captum.attr import IntegratedGradients

    return IntegratedGradients(forward).attribute(inputs, baselines=baseline)
