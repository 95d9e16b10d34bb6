"""Integrated gradients of many samples, with more nodes for those that need them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.integrated import (
    Rule,
    integrate,
    quadrature,
    starting,
    totals,
)
from foldproof.tasks.attribute.network.gradients import (
    CHUNK,
    Forward,
    ForwardOf,
    eval_mode,
    outputs_at,
)

NODES = 8
"""Nodes to start with. Over LSTMs trained gently and hard, 6 to 9 come to some 9 gradients a sample
in all; after 8, at most one sample in five needs a second round."""
TOLERANCE = 1e-4
"""Completeness error, relative to the spread of the forecasts, that a sample may have."""
DOUBLINGS = 4
"""How often the nodes are doubled for samples that exceed it."""
NO_CHANGE = 1e-9
"""A spread of the forecasts below this share of their size is none."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Integrated gradients of samples, and how exact they are.

    Attributes:
        attributions: (B, T, F), oldest row first.
        error: (B,) completeness error relative to the spread of the forecasts, none below 0.
        nodes: The most quadrature nodes that a sample was given.
        tolerance: What ``error`` was to be within.
        points: Gradients taken for it, per sample.
    """

    attributions: Tensor
    error: Tensor
    nodes: int
    tolerance: float = TOLERANCE
    points: float = torch.nan

    @property
    def unresolved(self) -> float:
        """Share of samples whose error exceeds the tolerance at the most nodes."""
        return float((self.error > self.tolerance).double().mean()) if len(self.error) else 0.0


def resolved_gradients(
    forward: Forward,
    inputs: Tensor,
    baseline: Tensor | float,
    nodes: int = NODES,
    *,
    tolerance: float = TOLERANCE,
    doublings: int = DOUBLINGS,
    rule: str = "gauss_legendre",
    chunk: int = CHUNK,
) -> Paths:
    """Integrated gradients with nodes doubled only where attributions do not add up.

    As :func:`~tasks.attribute.integrated_gradients`; a sample is done when its attributions miss
    f(x) - f(x') by at most ``tolerance`` times the standard deviation of the forecasts f(x).

    .. warning::

        Rounding bounds what can be reached: about 1e-6 in float32, 1e-12 in float64. Asked for
        less, every sample goes through all doublings. A gap that stays wide on a smooth network
        is a fault, as :func:`~tasks.attribute.integrated_gradients` tells.

    Args:
        forward: (B, ...) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, ...), any floating-point type; all is computed in it.
        baseline: x', broadcastable to ``inputs``.
        nodes: Quadrature nodes that every sample is given.
        tolerance: Completeness error relative to the spread of the forecasts.
        doublings: How often the nodes are doubled at most; the last number is
            ``nodes * 2 ** doublings``.
        rule: Key of :data:`~tasks.attribute.integrated.RULES`; midpoint where slopes jump.
        chunk: Points per backward pass.

    Raises:
        ValueError: As :func:`~tasks.attribute.integrated_gradients`; or tolerance is not above 0,
            or doublings is below 0.

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 2.0], [0.5, 3.0]], dtype=torch.float64)
        >>> paths = resolved_gradients(lambda x: x.square().sum(1), x, 0.0, nodes=2)
        >>> paths.attributions.round(decimals=9).tolist(), paths.nodes, paths.unresolved
        ([[1.0, 4.0], [0.25, 9.0]], 2, 0.0)
    """
    with eval_mode(forward):
        return resolved_paths(
            lambda points, _: forward(points), inputs, baseline, nodes,
            tolerance=tolerance, doublings=doublings, rule=rule, chunk=chunk,
        )  # fmt: skip


def resolved_paths(
    forward: ForwardOf,
    inputs: Tensor,
    baseline: Tensor | float,
    nodes: int,
    *,
    tolerance: float = TOLERANCE,
    doublings: int = DOUBLINGS,
    rule: str | Rule = "gauss_legendre",
    chunk: int = CHUNK,
    spread: float | None = None,
) -> Paths:
    """As :func:`resolved_gradients` for a forward that is told the rows of its samples.

    The result lies on the CPU. ``spread`` is what errors are relative to where it is not that of
    the forecasts at hand.
    """
    check_effort(tolerance, doublings)
    start = starting(baseline, inputs, chunk)
    attributions = torch.empty_like(inputs, requires_grad=False)
    rows = torch.arange(len(inputs), device=inputs.device)
    points = 0
    with eval_mode(forward):
        forecasts = outputs_at(forward, inputs, chunk)
        change = forecasts - outputs_at(forward, start, chunk)
        unit = forecast_spread(forecasts, change) if spread is None else spread
        for doubling in range(doublings + 1):
            integrate(forward, inputs, start, rows, attributions, nodes << doubling, rule, chunk)
            points += len(rows) * len(quadrature(nodes << doubling, inputs, rule)[0])
            error = (totals(attributions) - change).abs() / unit
            rows = (error > tolerance).nonzero().squeeze(1)
            if not len(rows):
                break
    return Paths(
        attributions.cpu(), error.cpu(), nodes << doubling, tolerance, points / max(1, len(inputs))
    )


def check_effort(tolerance: float, doublings: int) -> None:
    """Raise ValueError unless tolerance is above 0 and doublings is at least 0."""
    if not tolerance > 0:
        raise ValueError(f"tolerance must be above 0, such as {TOLERANCE}; it is {tolerance}")
    if doublings < 0:
        raise ValueError(f"doublings must be at least 0; it is {doublings}")


def forecast_spread(forecasts: Tensor, change: Tensor) -> float:
    """What completeness errors are relative to: the standard deviation of the forecasts (B,).

    A single forecast has none, so there it is its ``change`` (B,). Where forecasts do not vary it
    is what counts as no change.
    """
    if not len(forecasts):
        return 1.0
    spread = forecasts.std(correction=0) if len(forecasts) > 1 else change.abs().max()
    none = NO_CHANGE * forecasts.abs().max()
    return max(float(spread), float(none), torch.finfo(forecasts.dtype).tiny)
