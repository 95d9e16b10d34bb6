"""Integrated gradients by Gauss-Legendre quadrature, with the completeness error per sample."""

import numpy as np
import torch
from torch import Tensor

from tasks.attribute.gradients import (
    CHUNK,
    Forward,
    ForwardOf,
    check_inputs,
    frozen,
    gradients_at,
    outputs_at,
)


def integrated_gradients(
    forward: Forward,
    inputs: Tensor,
    baseline: Tensor | float,
    nodes: int = 20,
    *,
    chunk: int = CHUNK,
) -> tuple[Tensor, Tensor]:
    r"""What each input cell adds to the forecast on the straight way from the baseline.

    .. math:: IG_i = (x_i - x'_i) \int_0^1 \partial_i f(x' + \alpha (x - x')) \, d\alpha

    (Sundararajan, Taly & Yan 2017). The attributions of a sample add up to f(x) - f(x'); ``gap``
    says how far they miss. Gauss-Legendre converges spectrally on smooth networks such as an
    LSTM (20 nodes are plenty) and slowly across the kinks of a ReLU (take hundreds).

    .. warning::

        Points of several samples and nodes share a batch, and batches are cut by ``chunk``: a
        forward in which samples of a batch depend on each other (batch statistics) has no
        attributions of its own. The gap shows it, as it shows detached statistics.

    Args:
        forward: (B, ...) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, ...), any floating-point type; all is computed in it.
        baseline: x', broadcastable to ``inputs``.
        nodes: Quadrature nodes on [0, 1].
        chunk: Points per backward pass.

    Returns:
        Attributions in the forecast's unit, shape of ``inputs``, and the completeness error
        (B,): sum of the attributions minus f(x) - f(x').

    Raises:
        ValueError: Inputs or forecasts are not finite, the baseline cannot be broadcast, forward
            does not return (B,), its output is not differentiable, nodes or chunk is below 1.

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
        >>> attributions, gap = integrated_gradients(lambda x: x.square().sum(1), x, 0.0, nodes=2)
        >>> [round(a, 12) for a in attributions[0].tolist()], abs(gap.item()) < 1e-12
        ([1.0, 4.0, 9.0], True)
    """
    with frozen(forward):
        attributions, gap, _ = path_integral(
            lambda points, _: forward(points), inputs, baseline, nodes, chunk=chunk
        )
    return attributions, gap


def path_integral(
    forward: ForwardOf,
    inputs: Tensor,
    baseline: Tensor | float,
    nodes: int,
    *,
    chunk: int = CHUNK,
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`integrated_gradients` for a forward that is told which sample a point belongs to.

    Returns:
        Attributions, completeness error, and f(x) - f(x') (B,).
    """
    for name, count in (("nodes", nodes), ("chunk", chunk)):
        if count < 1:
            raise ValueError(f"{name} must be at least 1; it is {count}")
    check_inputs("inputs", inputs)
    start = broadcast(baseline, inputs)
    check_inputs("baseline", start)
    way = (inputs - start).detach()
    alpha, weight = quadrature(nodes, inputs)
    mean_slope = torch.zeros_like(way)
    per_sample = (1,) * (inputs.dim() - 1)
    for rows in torch.arange(len(inputs), device=inputs.device).split(max(1, chunk // nodes)):
        for a, w in zip(alpha.split(chunk), weight.split(chunk), strict=True):
            place = a.view(1, -1, *per_sample)
            points = start[rows].unsqueeze(1) + place * way[rows].unsqueeze(1)  # (rows, nodes, ...)
            slopes = gradients_at(forward, points.flatten(0, 1), rows.repeat_interleave(len(a)))
            weighted = slopes.view_as(points) * w.view(1, -1, *per_sample)
            mean_slope[rows] += weighted.sum(1)
    attributions = way * mean_slope
    change = outputs_at(forward, inputs, chunk) - outputs_at(forward, start, chunk)
    gap = attributions.flatten(1).sum(1) - change if len(inputs) else change
    return attributions, gap, change


def broadcast(baseline: Tensor | float, inputs: Tensor) -> Tensor:
    """The baseline in the shape, type and place of ``inputs``."""
    start = torch.as_tensor(baseline, dtype=inputs.dtype, device=inputs.device)
    if inputs.dim() < 1:
        raise ValueError(
            "inputs need a sample dimension first, shape (B, ...); got a single number"
        )
    try:
        return start.broadcast_to(inputs.shape).detach()
    except RuntimeError:
        raise ValueError(
            f"baseline of shape {tuple(start.shape)} cannot be broadcast to inputs of shape "
            f"{tuple(inputs.shape)}"
        ) from None


def quadrature(nodes: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre nodes and weights (nodes,) on [0, 1]: exact for degree 2 nodes - 1."""
    place, weight = np.polynomial.legendre.leggauss(nodes)
    scaled = np.stack([(place + 1) / 2, weight / 2])
    alpha, share = torch.from_numpy(scaled).to(like)
    return alpha, share
