"""Temporal integrated gradients: what each time step adds, given the earlier ones."""

import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.checks import filling
from foldproof.tasks.attribute.methods.integrated import integrated_gradients
from foldproof.tasks.attribute.network.gradients import CHUNK, Forward, ForwardOf, by_sample


def temporal_integrated_gradients(
    forward: Forward,
    inputs: Tensor,
    baseline: Tensor | float,
    nodes: int = 20,
    *,
    chunk: int = CHUNK,
    rows: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""What each time step adds to the forecast when the window ends at that step.

    .. math:: TIG_{t,i} = (x_{t,i} - x'_{t,i}) \int_0^1 \partial_{t,i}
        f(x_1, \dots, x_{t-1}, x'_t + \alpha (x_t - x'_t)) \, d\alpha

    (Enguehard 2023, arXiv 2306.02968; TemporalIntegratedGradients of the package time_interpret):
    for each t the window is cropped to its first t rows, and only row t moves from the baseline to
    its value. The result says when a feature changed the forecast, whatever the network does with
    it later.

    .. warning::

        The forecaster must take windows of any length, and is evaluated at lengths that it was not
        trained on: a window normalizer gets one row at t = 1 (instance norm makes it 0). The
        attributions of a step add up to the change at that step. Those of a whole window have no
        such sum and cannot be compared with integrated gradients lag by lag.

    Args:
        forward: (B, t, F) -> (B,) for every t up to T, differentiable. An nn.Module is put in eval
            mode for the call.
        inputs: (B, T, F) oldest row first, any floating-point type; everything is computed in it.
        baseline: x', broadcastable to ``inputs``.
        nodes: Gauss-Legendre nodes per step.
        chunk: Points per backward pass.
        rows: (B,) sample numbers that ``forward`` takes as a second argument; None if it does not.

    Returns:
        Attributions (B, T, F) in the forecast's unit, and the completeness error (B, T) of each
        step: sum over its features minus the change of the cropped window's forecast.

    Raises:
        ValueError: As :func:`~foldproof.tasks.attribute.integrated_gradients`; or inputs are not
            windows.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0], [2.0], [4.0]]], dtype=torch.float64)
        >>> found, gap = temporal_integrated_gradients(lambda x: x.prod(1).squeeze(1), x, 1.0, 1)
        >>> found.flatten().tolist()  # 1 - 1, 1 · 2 - 1 · 1, 1 · 2 · 4 - 1 · 2 · 1
        [0.0, 1.0, 6.0]
    """
    with by_sample(forward, inputs, rows) as of_sample:
        start = filling(baseline, inputs)
        everyone = torch.arange(len(inputs), device=inputs.device)
        steps = [
            integrated_gradients(
                next_step(of_sample, inputs[:, :t]), inputs[:, t], start[:, t], nodes,
                chunk=chunk, rows=everyone,
            )
            for t in range(inputs.shape[1])
        ]  # fmt: skip
        attributions, gaps = (torch.stack(each, 1) for each in zip(*steps, strict=True))
        return attributions, gaps


def next_step(forward: ForwardOf, past: Tensor) -> ForwardOf:
    """The forecast as a function of the next step (P, F) alone, after ``past`` (B, t, F)."""
    return lambda points, rows: forward(torch.cat([past[rows], points.unsqueeze(1)], 1), rows)
