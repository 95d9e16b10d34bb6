"""Attributions from the slopes at the observed windows alone: one backward pass a sample."""

import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.integrated import broadcast
from foldproof.tasks.attribute.methods.partials import broadcast_scale
from foldproof.tasks.attribute.network.gradients import (
    CHUNK,
    Forward,
    ForwardOf,
    check_inputs,
    eval_mode,
    gradients_at,
)


def gradient_times_input(
    forward: Forward, inputs: Tensor, baseline: Tensor | float = 0.0, *, chunk: int = CHUNK
) -> Tensor:
    """The slope at the observed window times the way from a reference point: (x - x') ∂f/∂x.

    The first-order answer to what integrated gradients answer exactly; the two are equal where f
    is linear (Shrikumar et al. 2016, arXiv 1605.01713; a reference other than 0 as in Ancona et
    al. 2018, ICLR).

    .. warning::

        The attributions add up to nothing in general: where f saturates they are near 0 though
        the feature moved the forecast.

    Args:
        forward: (B, ...) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, ...), any floating-point type; all is computed in it.
        baseline: x', broadcastable to ``inputs``; 0 is the usual gradient times input.
        chunk: Samples per backward pass.

    Returns:
        Attributions in the forecast's unit, shape of ``inputs``.

    Raises:
        ValueError: As :func:`~tasks.attribute.integrated_gradients`.

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 2.0, 3.0]])
        >>> gradient_times_input(lambda x: x.square().sum(1), x, 1.0)[0].tolist()
        [0.0, 4.0, 12.0]
    """
    with eval_mode(forward):
        return times_input_of(lambda points, _: forward(points), inputs, baseline, chunk=chunk)


def times_input_of(
    forward: ForwardOf, inputs: Tensor, baseline: Tensor | float, *, chunk: int = CHUNK
) -> Tensor:
    """As :func:`gradient_times_input` for a forward that is told the rows of its samples."""
    slopes = slopes_of(forward, inputs, chunk)
    start = broadcast(baseline, inputs)
    check_inputs("baseline", start)
    return slopes * (inputs - start).detach()


def squared_sensitivity(
    forward: Forward, inputs: Tensor, *, scale: Tensor | None = None, chunk: int = CHUNK
) -> Tensor:
    """Squared slopes (∂f/∂x)² of every cell; their mean over samples is the features' SSD.

    The sum of squared derivatives of Dimopoulos, Bourret & Lek 1995 (Neural Processing Letters
    2:1), with which Gu, Kelly & Xiu 2020 (RFS 33:2223) rank predictors. Unlike the mean slope it
    sees effects whose sign differs between samples; it knows no direction, and a few steep samples
    can decide it.

    Args:
        forward: (B, ...) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, ...), any floating-point type; all is computed in it.
        scale: Units of x that count as one, broadcastable to ``inputs``, such as (F,) sigma.
        chunk: Samples per backward pass.

    Returns:
        Shape of ``inputs``, in the square of the forecast's unit per squared unit of x.

    Raises:
        ValueError: As :func:`~tasks.attribute.integrated_gradients`; or scale does not fit.
    """
    with eval_mode(forward):
        return squared_of(lambda points, _: forward(points), inputs, scale=scale, chunk=chunk)


def squared_of(
    forward: ForwardOf, inputs: Tensor, *, scale: Tensor | None = None, chunk: int = CHUNK
) -> Tensor:
    """As :func:`squared_sensitivity` for a forward that is told the rows of its samples."""
    return (slopes_of(forward, inputs, chunk) * broadcast_scale(scale, inputs)).square()


def slopes_of(forward: ForwardOf, inputs: Tensor, chunk: int) -> Tensor:
    """∂f/∂x at the observed windows, shape of ``inputs``."""
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1; it is {chunk}")
    check_inputs("inputs", inputs)
    rows = torch.arange(len(inputs), device=inputs.device).split(chunk)
    parts = [gradients_at(forward, inputs[part], part) for part in rows if len(part)]
    return torch.cat(parts) if parts else torch.zeros_like(inputs)
