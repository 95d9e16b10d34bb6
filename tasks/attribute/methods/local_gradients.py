"""Attributions from the slopes at the observed windows: one backward pass per sample."""

import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.checks import check_counts, row_blocks, scale_of, starting
from foldproof.tasks.attribute.network.gradients import (
    CHUNK,
    Forward,
    ForwardOf,
    by_sample,
    check_inputs,
    gradients_at,
)


def gradient_times_input(
    forward: Forward,
    inputs: Tensor,
    baseline: Tensor | float = 0.0,
    *,
    chunk: int = CHUNK,
    rows: Tensor | None = None,
) -> Tensor:
    """The slope at the observed window times the distance from a reference: (x - x') ∂f/∂x.

    The first-order approximation of integrated gradients; the two are equal where f is linear
    (Shrikumar et al. 2016, arXiv 1605.01713; a reference other than 0 as in Ancona et al. 2018,
    ICLR).

    .. warning::

        In general the attributions have no meaningful sum: where f saturates they are near 0
        although the feature moved the forecast.

    Args:
        forward: (B, ...) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, ...), any floating-point type; everything is computed in it.
        baseline: x', broadcastable to ``inputs``; 0 gives the usual gradient times input.
        chunk: Samples per backward pass.
        rows: (B,) sample numbers that ``forward`` takes as a second argument; None if it does not.

    Returns:
        Attributions in the forecast's unit, shape of ``inputs``.

    Raises:
        ValueError: As :func:`~foldproof.tasks.attribute.integrated_gradients`.

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 2.0, 3.0]])
        >>> gradient_times_input(lambda x: x.square().sum(1), x, 1.0)[0].tolist()
        [0.0, 4.0, 12.0]
    """
    with by_sample(forward, inputs, rows) as of_sample:
        start = starting(baseline, inputs)
        return slopes_of(of_sample, inputs, chunk) * (inputs - start).detach()


def squared_sensitivity(
    forward: Forward,
    inputs: Tensor,
    *,
    scale: Tensor | None = None,
    chunk: int = CHUNK,
    rows: Tensor | None = None,
) -> Tensor:
    """Squared slopes (∂f/∂x)² of every cell; their mean over samples is the features' SSD.

    The sum of squared derivatives of Dimopoulos, Bourret & Lek 1995 (Neural Processing Letters
    2:1), by which Gu, Kelly & Xiu 2020 (RFS 33:2223) rank predictors. Unlike the mean slope it
    detects effects whose sign differs between samples. It has no direction, and a few steep samples
    can dominate it.

    Args:
        forward: (B, ...) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, ...), any floating-point type; everything is computed in it.
        scale: The change of x that counts as one, broadcastable to ``inputs``, such as (F,) sigma.
        chunk: Samples per backward pass.
        rows: (B,) sample numbers that ``forward`` takes as a second argument; None if it does not.

    Returns:
        Shape of ``inputs``, in the square of the forecast's unit per squared unit of x.

    Raises:
        ValueError: As :func:`~foldproof.tasks.attribute.integrated_gradients`; or scale does not
            fit.
    """
    with by_sample(forward, inputs, rows) as of_sample:
        check_inputs("inputs", inputs)
        unit = scale_of(scale, inputs)
        return (slopes_of(of_sample, inputs, chunk) * unit).square()


def slopes_of(forward: ForwardOf, inputs: Tensor, chunk: int) -> Tensor:
    """∂f/∂x at the observed windows, shape of ``inputs``."""
    check_counts(chunk=chunk)
    parts = [gradients_at(forward, inputs[rows], rows) for rows in row_blocks(inputs, chunk)]
    return torch.cat(parts) if parts else torch.zeros_like(inputs)
