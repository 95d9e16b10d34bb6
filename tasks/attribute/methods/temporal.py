"""Temporal integrated gradients: each step's own news, given the steps before it."""

import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.checks import filling
from foldproof.tasks.attribute.methods.integrated import path_integral
from foldproof.tasks.attribute.network.gradients import CHUNK, Forward, ForwardOf, eval_mode


def temporal_integrated_gradients(
    forward: Forward,
    inputs: Tensor,
    baseline: Tensor | float,
    nodes: int = 20,
    *,
    chunk: int = CHUNK,
) -> tuple[Tensor, Tensor]:
    r"""What each step adds when the window has come just so far.

    .. math:: TIG_{t,i} = (x_{t,i} - x'_{t,i}) \int_0^1 \partial_{t,i}
        f(x_1, \dots, x_{t-1}, x'_t + \alpha (x_t - x'_t)) \, d\alpha

    (Enguehard 2023, arXiv 2306.02968; TemporalIntegratedGradients of the package time_interpret):
    for each t the window is cropped to its first t rows, and only row t goes from the baseline to
    its value. It tells when a feature became news, free of what the network does with it later.

    .. warning::

        The forecaster must take windows of any length, and is asked about lengths that it was not
        trained on: a window normalizer sees one row at t = 1 (instance norm makes it 0). The
        attributions of a step add up to the change at that step; those of a window add up to
        nothing, and do not compare with integrated gradients lag by lag.

    Args:
        forward: (B, t, F) -> (B,) for every t up to T, differentiable. An nn.Module is put in eval
            mode for the call.
        inputs: (B, T, F) oldest row first, any floating-point type; all is computed in it.
        baseline: x', broadcastable to ``inputs``.
        nodes: Gauss-Legendre nodes a step.
        chunk: Points per backward pass.

    Returns:
        Attributions (B, T, F) in the forecast's unit, and the completeness error (B, T) of each
        step: sum over its features minus the change of the cropped window's forecast.

    Raises:
        ValueError: As :func:`~tasks.attribute.integrated_gradients`; or inputs are no windows.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0], [2.0], [4.0]]], dtype=torch.float64)
        >>> found, gap = temporal_integrated_gradients(lambda x: x.prod(1).squeeze(1), x, 1.0, 1)
        >>> found.flatten().tolist()  # 1 - 1, 1 · 2 - 1 · 1, 1 · 2 · 4 - 1 · 2 · 1
        [0.0, 1.0, 6.0]
    """
    with eval_mode(forward):
        return temporal_of(lambda points, _: forward(points), inputs, baseline, nodes, chunk=chunk)


def temporal_of(
    forward: ForwardOf,
    inputs: Tensor,
    baseline: Tensor | float,
    nodes: int,
    *,
    chunk: int = CHUNK,
) -> tuple[Tensor, Tensor]:
    """As :func:`temporal_integrated_gradients` for a forward that is told its samples' rows."""
    start = filling(baseline, inputs)
    steps = [
        path_integral(after(forward, inputs[:, :t]), inputs[:, t], start[:, t], nodes, chunk=chunk)
        for t in range(inputs.shape[1])
    ]
    return (
        torch.stack([attributions for attributions, _, _ in steps], 1),
        torch.stack([gap for _, gap, _ in steps], 1),
    )


def after(forward: ForwardOf, past: Tensor) -> ForwardOf:
    """The forecast as a function of the next step (P, F) only, after ``past`` (B, t, F)."""
    return lambda points, rows: forward(torch.cat([past[rows], points.unsqueeze(1)], 1), rows)
