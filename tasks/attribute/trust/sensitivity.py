"""Do attributions say how the forecast responds, and do close windows have close attributions?"""

from collections.abc import Callable, Iterable
from math import factorial

import numpy as np
import torch
from torch import Generator, Tensor

from foldproof.tasks.attribute.network.gradients import CHUNK, ForwardOf, outputs_at
from foldproof.tasks.attribute.trust.catalogue import Check, check
from foldproof.tasks.attribute.trust.faithfulness import LEAST_ORDERS, orders

Attribute = Callable[[ForwardOf, Tensor], Tensor]
"""A forward and (B, T, F) windows, row b being sample b -> (B, T, F) attributions."""


def responses(forward: ForwardOf, inputs: Tensor, moved: Tensor, *, chunk: int = CHUNK) -> Tensor:
    """f(x) - f(moved) of (N, B, T, F) perturbed windows: (N, B)."""
    whole = outputs_at(forward, inputs, chunk)
    return torch.stack([whole - outputs_at(forward, one, chunk) for one in moved])


def predicted(attributions: Tensor, weights: Tensor) -> Tensor:
    """What the attributions (B, T, F) say about those changes: (N, B), sum of weight times them.

    Args:
        attributions: In the forecast's unit, or per unit of the inputs.
        weights: (N, B, T, F). For attributions per unit of the inputs, such as gradients, the
            perturbation x - moved; for those that add up to f(x) - f(x'), such as integrated
            gradients, its share (x - moved) / (x - x') of the way to the baseline.
    """
    return (attributions * weights).flatten(2).sum(2)


def infidelity(
    forward: ForwardOf,
    inputs: Tensor,
    attributions: Tensor,
    weights: Tensor,
    moved: Tensor,
    *,
    chunk: int = CHUNK,
) -> Tensor:
    r"""Mean squared error (B,) of what the attributions say about perturbed forecasts.

    .. math:: INFD = E_I \left[ \left( I^T \phi - (f(x) - f(x - I)) \right)^2 \right]

    Args:
        forward: Points (P, T, F) and rows of their samples (P,) -> (P,).
        inputs: (B, T, F) windows.
        attributions: (B, T, F) of them.
        weights: (N, B, T, F) as in :func:`predicted`.
        moved: (N, B, T, F) perturbed windows.
        chunk: Points per forward pass.
    """
    error = predicted(attributions, weights) - responses(forward, inputs, moved, chunk=chunk)
    return error.square().mean(0)


def max_sensitivity(usual: Tensor, moved: Iterable[Tensor]) -> Tensor:
    r"""Largest relative change (B,) of an attribution when its window moves.

    .. math:: \max_n \| \phi(x_n) - \phi(x) \|_2 / \| \phi(x) \|_2

    Where an attribution is zero throughout, the change itself.

    Args:
        usual: (B, T, F) attributions of the windows.
        moved: Attributions of the moved windows, one (B, T, F) a move.
    """
    changes = [(one - usual).flatten(1).norm(dim=1) for one in moved]
    return torch.stack(changes).amax(0) / size(usual.flatten(1))


def distances(attributions: Tensor) -> Tensor:
    """(B (B - 1),) changes to the attribution of another sample, relative as above."""
    usual = attributions.flatten(1)
    apart = torch.cdist(usual, usual) / size(usual).unsqueeze(1)
    return apart[~torch.eye(len(usual), dtype=torch.bool, device=apart.device)]


def size(attributions: Tensor) -> Tensor:
    """(B,) norms of (B, C) attributions, 1 where they are zero."""
    norm = attributions.norm(dim=1)
    return torch.where(norm == 0, 1.0, norm)


RADIUS = 0.02
"""Half width, in a feature's standard deviations, of the moves of a window."""


EXCHANGES = 100
"""Attributions with exchanged features that make the null of infidelity."""


def infidelity_check(
    forward: ForwardOf,
    inputs: Tensor,
    baseline: Tensor,
    attributions: Tensor,
    draws: int,
    generator: Generator,
) -> Check:
    """Infidelity for sets of features that are put to the baseline, relative to their effect.

    Each feature is put to the baseline at every lag with chance one half. For attributions that
    add up, this is completeness asked of parts: 0 where features do not interact, 1 for no
    attribution at all. The null are the same attributions with the features exchanged.

    Args:
        forward: Points (P, T, F) and rows of their samples (P,) -> (P,).
        inputs: (B, T, F) windows.
        baseline: (B, T, F) what their attributions are held against.
        attributions: (B, T, F), in the forecast's unit.
        draws: Sets of features per sample.
        generator: Source of the sets.
    """
    samples, _, features = inputs.shape
    coins = torch.rand(draws, samples, 1, features, generator=generator) < 0.5
    put = coins.to(inputs.device)
    actual = responses(forward, inputs, torch.where(put, baseline, inputs))
    weights = put.to(inputs)
    value, interval = relative_error(predicted(attributions, weights), actual)
    exchanged = orders(features, EXCHANGES, np.random.default_rng(generator.initial_seed()))
    null = [
        relative_error(predicted(attributions[..., torch.from_numpy(order)], weights), actual)[0]
        for order in exchanged
    ]
    mark = min(1.0, float(np.quantile(null, 0.05)))
    words = (
        f"they miss {value:.1%} of the mean squared change when features are put to the baseline, "
        f"with features exchanged {np.median(null):.1%}"
    )
    if factorial(features) < LEAST_ORDERS:
        return check("infidelity", value, mark, None, f"too few features: {words}", interval)
    passed = interval[1] < 1 and interval[0] <= mark
    return check("infidelity", value, mark, passed, words, interval)


def relative_error(told: Tensor, actual: Tensor) -> tuple[float, tuple[float, float]]:
    """Mean squared error over mean squared change of (N, B) forecasts, with its 95 % interval.

    The interval is that of a ratio of means over samples (delta method).
    """
    error = (told - actual).square().mean(0)
    change = actual.square().mean(0)
    scale = change.mean().clamp_min(torch.finfo(change.dtype).tiny)
    ratio = error.mean() / scale
    reach = 1.96 * (error - ratio * change).std() / scale / len(error) ** 0.5
    return float(ratio), (float(ratio - reach), float(ratio + reach))


def sensitivity_check(
    attribute: Attribute,
    forward: ForwardOf,
    inputs: Tensor,
    draws: int,
    generator: Generator,
    radius: float = RADIUS,
) -> Check:
    """Max-sensitivity to moves that no one could tell apart, against other samples' distance.

    Args:
        attribute: The method, its baselines included.
        forward: Points (P, T, F) and rows of their samples (P,) -> (P,).
        inputs: (B, T, F) windows, two or more.
        draws: Moves per sample, uniform within ``radius``.
        generator: Source of the moves.
        radius: In standard deviations of each feature over samples and lags.

    Raises:
        ValueError: Fewer than two samples: there is no distance to compare with.
    """
    if len(inputs) < 2:
        raise ValueError(f"sensitivity compares two samples at least; there are {len(inputs)}")
    shifts = 2 * torch.rand(draws, *inputs.shape, generator=generator, dtype=torch.float64) - 1
    reach = radius * inputs.std((0, 1), correction=0)
    moved = inputs + shifts.to(inputs) * reach
    usual = attribute(forward, inputs)
    changes = max_sensitivity(usual, (attribute(forward, one) for one in moved)).cpu()
    apart = distances(usual).cpu()
    mark, value = float(apart.quantile(0.05)), float(changes.median())
    words = (
        f"moves of {radius:g} standard deviations change the attribution by {value:.1%} of its "
        f"norm, another sample's differs by {float(apart.median()):.1%}"
    )
    return check("sensitivity", value, mark, value < mark, words, median_interval(changes))


def median_interval(values: Tensor) -> tuple[float, float]:
    """95 % interval of a median, from the order statistics of (B,) values; NaN below six."""
    count = len(values)
    if count < 6:
        return np.nan, np.nan
    ordered = values.sort().values
    low = max(0, int(count / 2 - 0.98 * count**0.5))
    return float(ordered[low]), float(ordered[count - 1 - low])
