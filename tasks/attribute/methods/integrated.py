"""Integrated gradients by quadrature, with the completeness error per sample."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.checks import check_counts, starting
from foldproof.tasks.attribute.network.gradients import (
    CHUNK,
    Forward,
    ForwardOf,
    by_sample,
    gradients_at,
    outputs_at,
)

Rule = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""Requested number of nodes -> places on [0, 1] and their weights, which add up to 1."""


def integrated_gradients(
    forward: Forward,
    inputs: Tensor,
    baseline: Tensor | float,
    nodes: int = 20,
    *,
    rule: str | Rule = "gauss_legendre",
    chunk: int = CHUNK,
    rows: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""What each input cell adds to the forecast on the straight path from the baseline.

    .. math:: IG_i = (x_i - x'_i) \int_0^1 \partial_i f(x' + \alpha (x - x')) \, d\alpha

    (Sundararajan, Taly & Yan 2017). The attributions of a sample add up to f(x) - f(x'); ``gap`` is
    the error of that sum. Gauss-Legendre converges spectrally on smooth networks such as an LSTM
    (20 nodes are plenty) and slowly across the kinks of a ReLU: there, take hundreds of nodes by
    the midpoint rule. :func:`~foldproof.tasks.attribute.resolved_gradients` gives each sample the
    nodes that it needs.

    .. warning::

        Points of several samples and nodes share a batch, and ``chunk`` splits the batches. A
        forward in which samples of a batch depend on each other (batch statistics) therefore has no
        well-defined attributions. The gap shows it, as it shows detached statistics.

    Args:
        forward: (B, ...) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, ...), any floating-point type; everything is computed in it.
        baseline: x', broadcastable to ``inputs``.
        nodes: Quadrature nodes on [0, 1].
        rule: Key of :data:`RULES`, or a rule.
        chunk: Points per backward pass.
        rows: (B,) sample numbers that ``forward`` takes as a second argument; None if it does not.

    Returns:
        Attributions in the forecast's unit, shape of ``inputs``, and the completeness error
        (B,): sum of the attributions minus f(x) - f(x').

    Raises:
        ValueError: Inputs or forecasts are not finite, the baseline cannot be broadcast, forward
            does not return (B,), its output is not differentiable, nodes or chunk is below 1, or
            there is no such rule.

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
        >>> attributions, gap = integrated_gradients(lambda x: x.square().sum(1), x, 0.0, nodes=2)
        >>> [round(a, 12) for a in attributions[0].tolist()], abs(gap.item()) < 1e-12
        ([1.0, 4.0, 9.0], True)
    """
    check_counts(chunk=chunk)
    with by_sample(forward, inputs, rows) as of_sample:
        start = starting(baseline, inputs)
        attributions = torch.empty_like(inputs, requires_grad=False)
        everyone = torch.arange(len(inputs), device=inputs.device)
        integrate(of_sample, inputs, start, everyone, attributions, nodes, rule, chunk)
        change = outputs_at(of_sample, inputs, chunk) - outputs_at(of_sample, start, chunk)
        return attributions, totals(attributions) - change


def integrate(
    forward: ForwardOf,
    inputs: Tensor,
    start: Tensor,
    samples: Tensor,
    into: Tensor,
    nodes: int,
    rule: str | Rule,
    chunk: int,
) -> None:
    """Write the attributions of ``samples`` (N,) to their rows of ``into``, shape of ``inputs``."""
    alpha, weight = quadrature(nodes, inputs, rule)
    per_sample = (1,) * (inputs.dim() - 1)
    for rows in samples.split(int(max(1, chunk // nodes))):
        origin = start[rows]
        way = inputs.detach()[rows].sub_(origin)
        mean_slope = torch.zeros_like(way)
        for a, w in zip(alpha.split(int(chunk)), weight.split(int(chunk)), strict=True):
            place = a.view(1, -1, *per_sample)  # points: (rows, nodes, ...)
            points = torch.addcmul(origin.unsqueeze(1), place, way.unsqueeze(1))
            slopes = gradients_at(forward, points.flatten(0, 1), rows.repeat_interleave(len(a)))
            mean_slope += torch.tensordot(slopes.view_as(points), w, ([1], [0]))
        into[rows] = mean_slope.mul_(way)


def totals(attributions: Tensor) -> Tensor:
    """(B,) sums over all cells of a sample."""
    if not len(attributions):
        return attributions.new_zeros(0)
    return attributions.reshape(len(attributions), -1).sum(1)


def gauss_legendre(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact for polynomials of degree 2 nodes - 1, and close on the slopes of smooth networks."""
    place, weight = np.polynomial.legendre.leggauss(nodes)
    return (place + 1) / 2, weight / 2


def midpoint(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Equal pieces, for slopes that jump: a jump costs at most its height times half a piece."""
    return (np.arange(nodes) + 0.5) / nodes, np.full(nodes, 1 / nodes)


RULES: Mapping[str, Rule] = MappingProxyType(
    {"gauss_legendre": gauss_legendre, "midpoint": midpoint}
)
"""Places and weights (nodes,) on [0, 1]. No rule has a node on an end, where a ReLU may kink."""


def quadrature(
    nodes: int, like: Tensor, rule: str | Rule = "gauss_legendre"
) -> tuple[Tensor, Tensor]:
    """Places and weights on [0, 1] by a rule or a key of :data:`RULES`, in the type of ``like``."""
    check_counts(nodes=nodes)
    if isinstance(rule, str):
        if rule not in RULES:
            raise ValueError(f"there is no quadrature rule {rule!r}; there are {', '.join(RULES)}")
        rule = RULES[rule]
    alpha, share = torch.from_numpy(np.stack(rule(nodes))).to(like)
    return alpha, share
