"""Do the attributions of a sample add up to the change of its forecast?"""

import torch
from torch import Tensor

from tasks.attribute.gradients import CHUNK, ForwardOf, frozen, outputs_at
from tasks.attribute.resolved import NO_CHANGE, TOLERANCE
from tasks.attribute.trust.check import Check, check


def completeness(
    forward: ForwardOf,
    inputs: Tensor,
    baseline: Tensor,
    attributions: Tensor,
    *,
    tolerance: float = TOLERANCE,
    chunk: int = CHUNK,
) -> Check:
    """Share of samples whose attributions do not add up to f(x) - f(x').

    Args:
        forward: Points (P, T, F) and rows of their samples (P,) -> (P,).
        inputs: (B, T, F) windows.
        baseline: (B, T, F) what they are held against.
        attributions: (B, T, F) of the inputs.
        tolerance: Gap in standard deviations of the forecasts that a sample may have.
        chunk: Points per forward pass.

    Raises:
        ValueError: The shapes differ, there is no sample, or a forecast is not finite.
    """
    if not len(inputs) or not inputs.shape == baseline.shape == attributions.shape:
        raise ValueError(
            "completeness needs inputs, baseline and attributions of one shape (B, T, F), B >= 1; "
            f"they are {tuple(inputs.shape)}, {tuple(baseline.shape)}, {tuple(attributions.shape)}"
        )
    with frozen(forward):
        observed = outputs_at(forward, inputs, chunk)
        change = observed - outputs_at(forward, baseline, chunk)
    gap = (attributions.flatten(1).sum(1) - change).abs() / spread(observed)
    share = float((~(gap <= tolerance)).double().mean())
    words = (
        f"{share:.1%} of {len(gap)} samples miss by more than {tolerance:g} of the forecasts' "
        f"standard deviation; median {float(gap.median()):.1g}, most {float(gap.max()):.1g}"
    )
    return check("completeness", share, 0.0, share == 0, words)


def spread(forecasts: Tensor) -> Tensor:
    """Standard deviation of the forecasts; where they do not vary, what counts as no change."""
    none = NO_CHANGE * forecasts.abs().max()
    floor = none.clamp_min(torch.finfo(forecasts.dtype).tiny)
    return torch.maximum(forecasts.std(correction=0), floor)
