"""Integrated gradients of many samples, with more nodes for those that need them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.attribute.gradients import CHUNK, ForwardOf, frozen, outputs_at
from tasks.attribute.integrated import path_integral

TOLERANCE = 1e-4
"""Completeness error, relative to the change of the forecast, that a sample may have."""
DOUBLINGS = 4
"""How often the nodes are doubled for samples that exceed it."""
NO_CHANGE = 1e-9
"""A change of the forecast below this share of its size is none."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Integrated gradients of a unit's samples.

    Attributes:
        attributions: (B, T, F), oldest row first.
        error: (B,) completeness error relative to the change of the forecast.
        nodes: The most quadrature nodes that a sample was given.
    """

    attributions: Tensor
    error: Tensor
    nodes: int


def resolved_paths(forward: ForwardOf, inputs: Tensor, baseline: Tensor, nodes: int) -> Paths:
    """Integrated gradients; samples whose completeness error is too large get more nodes."""
    with frozen(forward):
        attributions, gap, change = path_integral(forward, inputs, baseline, nodes)
        floor = least_change(outputs_at(forward, inputs, CHUNK))
        error = gap.abs() / change.abs().clamp_min(floor)
        for _ in range(DOUBLINGS):
            wide = (error > TOLERANCE).nonzero().squeeze(1)
            if not len(wide):
                break
            nodes *= 2
            attributions[wide], gap, change = path_integral(
                restricted(forward, wide), inputs[wide], baseline[wide], nodes
            )
            error[wide] = gap.abs() / change.abs().clamp_min(floor)
    return Paths(attributions.cpu(), error.cpu(), nodes)


def restricted(forward: ForwardOf, samples: Tensor) -> ForwardOf:
    """``forward`` for a selection of its samples, numbered anew."""
    return lambda points, rows: forward(points, samples[rows])


def least_change(forecasts: Tensor) -> float:
    """The change of a forecast that errors are relative to at least.

    A hundredth of the forecasts' spread; where they do not vary, what counts as no change.
    """
    spread = 0.01 * float(forecasts.std(correction=0))
    none = NO_CHANGE * float(forecasts.abs().max())
    return max(spread, none, torch.finfo(forecasts.dtype).tiny)
