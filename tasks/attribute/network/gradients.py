"""Checked forecasts and input gradients of a network in eval mode."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from foldproof.tasks.attribute.network.fast_lstm import use_fast_lstm

Forward = Callable[..., Tensor]
"""(B, ...) -> (B,): one forecast per point, which must not depend on the other points. A method
that is given ``rows`` calls it with (points (P, ...), sample numbers (P,) int64)."""
ForwardOf = Callable[[Tensor, Tensor], Tensor]
"""(P, ...) points and (P,) int64 numbers of the samples they belong to -> (P,) forecasts."""
CHUNK = 512
"""Points per backward pass: 512 to 1024 are fastest on one core, and small in memory."""


@contextmanager
def eval_mode(forward: Callable[..., Tensor]) -> Iterator[None]:
    """Eval mode with gradients by inputs only; restores the mode of every submodule on exit.

    LSTMs on the CPU use :mod:`~tasks.attribute.network.fast_lstm`, which gives their weights no
    gradient. cuDNN is off because it refuses the backward pass of an LSTM in eval mode; training
    mode would turn on dropout and batch statistics.

    Args:
        forward: An nn.Module or a bound method of one. Modules inside a closure are not found: put
            them in eval mode first.
    """
    owner = forward if isinstance(forward, nn.Module) else getattr(forward, "__self__", None)
    module = owner if isinstance(owner, nn.Module) else nn.Module()
    modules = list(module.modules())
    modes = [part.training for part in modules]
    changed: list[nn.Module] = []
    cudnn_off = torch.backends.cudnn.flags(enabled=False)
    with torch.inference_mode(False), torch.enable_grad(), cudnn_off:
        try:
            for part in modules:
                part.training = False
            changed = use_fast_lstm(module)
            yield
        finally:
            for part in changed:
                del vars(part)["forward"]
            for part, mode in zip(modules, modes, strict=True):
                part.training = mode


@contextmanager
def by_sample(forward: Forward, inputs: Tensor, rows: Tensor | None) -> Iterator[ForwardOf]:
    """In eval mode: ``forward`` of points and of the places (P,) of their samples in ``inputs``.

    Args:
        forward: Of points alone, or of points and sample numbers where ``rows`` is given.
        inputs: (B, ...).
        rows: (B,) int64 number of each sample; None where ``forward`` takes points alone.

    Raises:
        ValueError: ``rows`` is not (B,).
    """
    with eval_mode(forward):
        if rows is None:
            yield partial(without_rows, forward)
            return
        if rows.shape != inputs.shape[:1]:
            raise ValueError(
                f"rows must number each of the {len(inputs)} samples, shape ({len(inputs)},); "
                f"their shape is {tuple(rows.shape)}"
            )
        numbers = rows.to(inputs.device)
        yield lambda points, places: forward(points, numbers[places])


def without_rows(forward: Forward, points: Tensor, _: Tensor) -> Tensor:
    """Forecasts of ``forward``, which takes points alone.

    Raises:
        ValueError: It fails on points without a time step, such as the rows of a single window.
    """
    try:
        return forward(points)
    except (RuntimeError, ValueError, IndexError) as error:
        if points.dim() > 2:
            raise
        raise ValueError(
            f"forward fails on samples of shape {tuple(points.shape[1:])} "
            f"({' '.join(str(error).split())}): if inputs are one window (T, F), give it the "
            "dimension of samples, as in inputs[None]"
        ) from error


def check_inputs(name: str, values: Tensor) -> None:
    """Raise ValueError unless ``values`` are finite floating-point numbers."""
    if not values.is_floating_point():
        raise ValueError(
            f"{name} must be floating-point to be differentiated; it is {values.dtype}"
        )
    if not all_finite(values):
        finite = values.isfinite()
        first = (~finite).nonzero()[0].tolist()
        raise ValueError(
            f"{name} must be finite; {int((~finite).sum())} of {values.numel()} cells are not, the "
            f"first at {first}: drop or fill those samples"
        )


def all_finite(values: Tensor) -> bool:
    """Whether every number is finite; takes no mask of the size of ``values``."""
    return not values.numel() or all(bool(end.isfinite()) for end in values.detach().aminmax())


def check_outputs(outputs: object, points: int) -> Tensor:
    """The outputs of ``forward``, or ValueError unless they are finite and of shape (points,)."""
    shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
    if not isinstance(outputs, Tensor) or shape != (points,):
        raise ValueError(
            f"forward must return one forecast per sample, shape ({points},); it returned {shape}: "
            "pick one output, such as lambda x: network(x)[:, 0]"
        )
    if not all_finite(outputs):
        raise ValueError(
            f"forward returned {int((~outputs.isfinite()).sum())} non-finite of {points} forecasts"
        )
    return outputs


def outputs_at(forward: ForwardOf, points: Tensor, chunk: int) -> Tensor:
    """Forecasts (B,) at one point per sample (B, ...), detached."""
    with torch.no_grad():
        rows = torch.arange(len(points), device=points.device).split(int(chunk))
        parts = [check_outputs(forward(points[part], part), len(part)) for part in rows]
    return torch.cat(parts) if parts else points.new_zeros(0)


def gradients_at(forward: ForwardOf, points: Tensor, rows: Tensor) -> Tensor:
    """Gradients of the forecasts at the points (P, ...), from one backward pass of their sum.

    Raises:
        ValueError: The output does not depend on the points through the graph, or the gradient
            is not finite.
    """
    points = points.detach().requires_grad_()
    outputs = check_outputs(forward(points, rows), len(points))
    slopes = None
    if outputs.requires_grad:
        (slopes,) = torch.autograd.grad(outputs.sum(), points, allow_unused=True)
    if slopes is None:
        raise ValueError(
            "the forecast does not depend on the inputs through the autograd graph: forward "
            "detaches them, leaves torch (.numpy(), .item()), runs under no_grad, or ignores them"
        )
    if not all_finite(slopes):
        raise ValueError(
            "the gradient of forward is not finite on the path: look for a square root or "
            "logarithm at 0, or a division by a spread of 0"
        )
    return slopes
