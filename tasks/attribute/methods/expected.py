"""Expected gradients: integrated gradients averaged over baselines from the training windows."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from foldproof.tasks.attribute.methods.checks import (
    check_counts,
    check_windows,
    row_blocks,
    standard_error,
)
from foldproof.tasks.attribute.methods.integrated import quadrature
from foldproof.tasks.attribute.network.gradients import (
    CHUNK,
    Forward,
    ForwardOf,
    by_sample,
    check_inputs,
    gradients_at,
)

DRAWS = 200
"""Baselines per sample: the Monte Carlo error falls with the square root of their number."""


@dataclass(frozen=True, eq=False)
class Expectation:
    """Attributions as means over random draws, with their standard errors.

    Attributes:
        attributions: (B, T, F) in the forecast's unit.
        error: (B, T, F) standard error of each cell; NaN for a single draw.
        lag_error: (B, F) standard error of the attributions summed over the lags.
    """

    attributions: Tensor
    error: Tensor
    lag_error: Tensor


def expected_gradients(
    forward: Forward,
    inputs: Tensor,
    references: Tensor,
    draws: int = DRAWS,
    *,
    generator: Generator,
    nodes: int | None = None,
    chunk: int = CHUNK,
    rows: Tensor | None = None,
) -> Expectation:
    r"""What each input cell adds to the forecast relative to the whole training distribution.

    .. math:: EG_i = E_{x', \alpha} (x_i - x'_i) \, \partial_i f(x' + \alpha (x - x'))

    (Erion et al. 2021, Nature Machine Intelligence 3:620; the GradientSHAP of Lundberg & Lee
    without noise), x' a reference drawn with replacement, α uniform on [0, 1]. In expectation the
    attributions of a sample add up to f(x) - E f(x'). A finite number of draws misses that sum by
    about its standard error. With ``nodes`` the path of every draw is integrated, and the
    attributions add up to f(x) minus the mean of f over the draws.

    .. warning::

        Take the references from the training block. Windows of the test block would give the
        attribution information that the forecaster did not have.

    Args:
        forward: (B, T, F) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, T, F), any floating-point type; everything is computed in it.
        references: (R, T, F) windows to draw baselines from.
        draws: Baselines per sample, drawn independently for every sample.
        generator: Draws the references and, without ``nodes``, the places on the paths.
        nodes: Gauss-Legendre nodes per path instead of one uniform place, at that many times the
            cost.
        chunk: Points per backward pass, but at least the nodes of one path.
        rows: (B,) sample numbers that ``forward`` takes as a second argument; None if it does not.

    Raises:
        ValueError: As :func:`~foldproof.tasks.attribute.integrated_gradients`; or there is no
            reference, its shape is not that of a sample, or draws is below 1.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0, 2.0]]], dtype=torch.float64)
        >>> found = expected_gradients(
        ...     lambda x: x.square().sum((1, 2)), x, x.new_zeros(1, 1, 2), 3,
        ...     generator=torch.Generator().manual_seed(0), nodes=2,
        ... )
        >>> [round(a, 12) for a in found.attributions.flatten().tolist()]
        [1.0, 4.0]
    """
    with by_sample(forward, inputs, rows) as of_sample:
        check_counts(draws=draws, nodes=1 if nodes is None else nodes, chunk=chunk)
        check_windows(inputs)
        check_references(references, inputs)
        shape = (len(inputs), draws)
        picked = torch.randint(len(references), shape, generator=generator).to(inputs.device)
        if nodes is None:
            alpha = torch.rand((*shape, 1), generator=generator, dtype=torch.float64).to(inputs)
            weight = alpha.new_ones(1)
        else:
            places, weight = quadrature(nodes, inputs)
            alpha = places.expand(*shape, nodes)
        windows = references.to(inputs)
        return mean_over_draws(of_sample, inputs, windows, picked, alpha, weight, chunk)


def mean_over_draws(
    forward: ForwardOf,
    inputs: Tensor,
    references: Tensor,
    picked: Tensor,
    alpha: Tensor,
    weight: Tensor,
    chunk: int,
) -> Expectation:
    """The expectation over given draws.

    Args:
        forward: Of points and sample numbers.
        inputs: (B, T, F).
        references: (R, T, F).
        picked: (B, N) int64, the reference of each draw.
        alpha: (B, N, K) places on the draw's path, in [0, 1].
        weight: (K,) their weights, adding up to 1.
        chunk: Points per backward pass.
    """
    mean, error = torch.zeros_like(inputs), torch.zeros_like(inputs)
    lag_error = inputs.new_zeros(len(inputs), inputs.shape[-1])
    draws, nodes = picked.shape[1], len(weight)
    block = int(max(1, chunk // nodes))
    for rows in row_blocks(inputs, block // draws):
        parts = zip(picked[rows].split(block, 1), alpha[rows].split(block, 1), strict=True)
        each = [
            contributions(forward, inputs, references[some], rows, places, weight)
            for some, places in parts
        ]
        drawn = torch.cat(each, dim=1)  # (rows, draws, T, F)
        mean[rows], error[rows] = drawn.mean(1), standard_error(drawn)
        lag_error[rows] = standard_error(drawn.sum(2))
    return Expectation(mean, error, lag_error)


def contributions(
    forward: ForwardOf, inputs: Tensor, starts: Tensor, rows: Tensor, alpha: Tensor, weight: Tensor
) -> Tensor:
    """(rows, N, T, F) attributions of each draw: its way times the weighted slopes along it."""
    way = (inputs[rows].unsqueeze(1) - starts).detach()
    place = alpha.unsqueeze(-1).unsqueeze(-1)
    points = starts.unsqueeze(2) + place * way.unsqueeze(2)  # (rows, draws, nodes, T, F)
    samples = rows.repeat_interleave(alpha.shape[1] * alpha.shape[2])
    slopes = gradients_at(forward, points.flatten(0, 2), samples).view_as(points)
    return way * (slopes * weight.view(-1, 1, 1)).sum(2)


def check_references(references: Tensor, inputs: Tensor) -> None:
    """Raise ValueError unless references are (R, T, F) with R >= 1 and finite."""
    if not len(references) or references.shape[1:] != inputs.shape[1:]:
        raise ValueError(
            f"references must be at least one window of the inputs' shape, "
            f"(R, {', '.join(map(str, inputs.shape[1:]))}); their shape is "
            f"{tuple(references.shape)}"
        )
    check_inputs("references", references)
