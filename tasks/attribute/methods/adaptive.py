"""Integrated gradients of many samples, with more nodes for the samples that need them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.checks import check_counts, starting
from foldproof.tasks.attribute.methods.integrated import Rule, integrate, quadrature, totals
from foldproof.tasks.attribute.network.gradients import CHUNK, Forward, by_sample, outputs_at

NODES = 8
"""Nodes to start with. Over LSTMs trained briefly and long, 6 to 9 nodes need about 9 gradients per
sample in total; after 8, at most one sample in five needs a second round."""
TOLERANCE = 1e-4
"""Allowed completeness error of a sample, relative to the spread of the forecasts."""
DOUBLINGS = 4
"""How often the nodes are doubled for samples that exceed the tolerance."""
NO_CHANGE = 1e-9
"""A spread of the forecasts below this share of their size counts as zero."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Integrated gradients of samples with their completeness errors, on the CPU.

    Attributes:
        attributions: (B, T, F), oldest row first.
        error: (B,) absolute completeness error relative to the spread of the forecasts.
        nodes: The largest number of quadrature nodes that a sample was given.
        tolerance: The allowed ``error``.
        points: Gradients per sample.
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
    rule: str | Rule = "gauss_legendre",
    chunk: int = CHUNK,
    spread: float | None = None,
    rows: Tensor | None = None,
) -> Paths:
    """Integrated gradients with nodes doubled only where attributions do not add up.

    As :func:`~foldproof.tasks.attribute.integrated_gradients`. A sample is done when the sum of its
    attributions is within ``tolerance`` times the spread of the forecasts of f(x) - f(x').

    .. warning::

        Rounding limits the error to about 1e-6 in float32 and 1e-12 in float64. A tolerance below
        that puts every sample through all doublings. A gap that stays wide on a smooth network is a
        fault, as :func:`~foldproof.tasks.attribute.integrated_gradients` explains.

    Args:
        forward: (B, ...) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, ...), any floating-point type; everything is computed in it.
        baseline: x', broadcastable to ``inputs``.
        nodes: Quadrature nodes that every sample is given.
        tolerance: Completeness error relative to the spread of the forecasts.
        doublings: How often the nodes are doubled at most; the last number is
            ``nodes * 2 ** doublings``.
        rule: Key of :data:`~foldproof.tasks.attribute.methods.integrated.RULES`, or a rule; take
            midpoint where slopes jump.
        chunk: Points per backward pass.
        spread: Unit of the errors; None for the standard deviation of the forecasts f(x).
        rows: (B,) sample numbers that ``forward`` takes as a second argument; None if it does not.

    Raises:
        ValueError: As :func:`~foldproof.tasks.attribute.integrated_gradients`; or tolerance is not
            above 0, or doublings is below 0.

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 2.0], [0.5, 3.0]], dtype=torch.float64)
        >>> paths = resolved_gradients(lambda x: x.square().sum(1), x, 0.0, nodes=2)
        >>> paths.attributions.round(decimals=9).tolist(), paths.nodes, paths.unresolved
        ([[1.0, 4.0], [0.25, 9.0]], 2, 0.0)
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance must be above 0, such as {TOLERANCE}; it is {tolerance}")
    if doublings < 0:
        raise ValueError(f"doublings must be at least 0; it is {doublings}")
    points = 0
    check_counts(chunk=chunk)
    with by_sample(forward, inputs, rows) as of_sample:
        start = starting(baseline, inputs)
        attributions = torch.empty_like(inputs, requires_grad=False)
        open_rows = torch.arange(len(inputs), device=inputs.device)
        forecasts = outputs_at(of_sample, inputs, chunk)
        change = forecasts - outputs_at(of_sample, start, chunk)
        unit = forecast_spread(forecasts, change) if spread is None else spread
        for doubling in range(doublings + 1):
            many = nodes << doubling
            integrate(of_sample, inputs, start, open_rows, attributions, many, rule, chunk)
            points += len(open_rows) * len(quadrature(many, inputs, rule)[0])
            error = (totals(attributions) - change).abs() / unit
            open_rows = (error > tolerance).nonzero().squeeze(1)
            if not len(open_rows):
                break
    per_sample = points / max(1, len(inputs))
    return Paths(attributions.cpu(), error.cpu(), many, tolerance, per_sample)


def forecast_spread(forecasts: Tensor, change: Tensor) -> float:
    """The unit of completeness errors: the standard deviation of the forecasts (B,).

    For a single forecast, the size of its ``change`` (B,). Where forecasts do not vary, a
    negligible share of their size.
    """
    if not len(forecasts):
        return 1.0
    spread = forecasts.std(correction=0) if len(forecasts) > 1 else change.abs().max()
    none = NO_CHANGE * forecasts.abs().max()
    return max(float(spread), float(none), torch.finfo(forecasts.dtype).tiny)
