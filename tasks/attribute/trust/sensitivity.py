"""Whether attributions predict responses of the forecast, and are close for close windows."""

from collections.abc import Callable, Iterable
from math import factorial

import numpy as np
import torch
from torch import Generator, Tensor

from foldproof.tasks.attribute.network.gradients import CHUNK, ForwardOf, outputs_at
from foldproof.tasks.attribute.trust.catalogue import Check, check
from foldproof.tasks.attribute.trust.faithfulness import LEAST_ORDERS, orders

Attribute = Callable[[ForwardOf, Tensor], Tensor]
"""A forward and (B, T, F) windows, row b of sample b -> (B, T, F) attributions."""
RADIUS = 0.02
"""Half width, in a feature's standard deviations, of the moves of a window."""
EXCHANGES = 100
"""Attributions with permuted features that form the null of infidelity."""


def responses(forward: ForwardOf, inputs: Tensor, moved: Tensor) -> Tensor:
    """f(x) - f(moved) of (N, B, T, F) perturbed windows: (N, B)."""
    whole = outputs_at(forward, inputs, CHUNK)
    return torch.stack([whole - outputs_at(forward, one, CHUNK) for one in moved])


def predicted(attributions: Tensor, weights: Tensor) -> Tensor:
    """The changes that the attributions (B, T, F) predict: (N, B), sum of weight times them.

    Args:
        attributions: In the forecast's unit, or per unit of the inputs.
        weights: (N, B, T, F). For attributions per unit of the inputs, such as gradients, the
            perturbation x - moved; for those that add up to f(x) - f(x'), such as integrated
            gradients, its share (x - moved) / (x - x') of the path to the baseline.
    """
    return (attributions * weights).flatten(2).sum(2)


def max_sensitivity(usual: Tensor, moved: Iterable[Tensor]) -> Tensor:
    r"""Largest relative change (B,) of an attribution when its window moves.

    .. math:: \max_n \| \phi(x_n) - \phi(x) \|_2 / \| \phi(x) \|_2

    Where an attribution is zero throughout, the absolute change.

    Args:
        usual: (B, T, F) attributions of the windows.
        moved: Attributions of the moved windows, one (B, T, F) per move.
    """
    changes = [(one - usual).flatten(1).norm(dim=1) for one in moved]
    return torch.stack(changes).amax(0) / size(usual.flatten(1))


def distances(attributions: Tensor) -> Tensor:
    """(B (B - 1),) differences from the attribution of another sample, relative as above."""
    usual = attributions.flatten(1)
    between = torch.cdist(usual, usual) / size(usual).unsqueeze(1)
    return between[~torch.eye(len(usual), dtype=torch.bool, device=between.device)]


def size(attributions: Tensor) -> Tensor:
    """(B,) norms of (B, C) attributions, 1 where they are zero."""
    norm = attributions.norm(dim=1)
    return torch.where(norm == 0, 1.0, norm)


def infidelity_check(
    forward: ForwardOf,
    inputs: Tensor,
    baseline: Tensor,
    attributions: Tensor,
    draws: int,
    generator: Generator,
) -> Check:
    r"""Infidelity for sets of features that are set to the baseline, relative to their effect.

    .. math:: E_I \left[ \left( I^T \phi - (f(x) - f(x - I)) \right)^2 \right] /
        E_I \left[ (f(x) - f(x - I))^2 \right]

    (Yeh et al. 2019, NeurIPS). Each feature is set to the baseline at every lag with probability
    one half. For attributions that add up, this is completeness for parts of the features: 0 where
    features do not interact, 1 for no attribution at all. The null is the same attributions with
    the features permuted.

    Args:
        forward: Points (P, T, F) and rows of their samples (P,) -> (P,).
        inputs: (B, T, F) windows.
        baseline: (B, T, F) baselines of their attributions.
        attributions: (B, T, F), in the forecast's unit.
        draws: Sets of features per sample.
        generator: Source of the sets.
    """
    samples, _, features = inputs.shape
    coins = torch.rand(draws, samples, 1, features, generator=generator) < 0.5
    masks = coins.to(inputs.device)
    actual = responses(forward, inputs, torch.where(masks, baseline, inputs))
    weights = masks.to(inputs)
    value, interval = relative_error(predicted(attributions, weights), actual)
    permuted = orders(features, EXCHANGES, np.random.default_rng(generator.initial_seed()))
    null = [
        relative_error(predicted(attributions[..., torch.from_numpy(order)], weights), actual)[0]
        for order in permuted
    ]
    mark = min(1.0, float(np.quantile(null, 0.05)))
    detail = (
        f"attributions miss {value:.1%} of the mean squared change when features are set to the "
        f"baseline; with permuted features {np.median(null):.1%}"
    )
    if factorial(features) < LEAST_ORDERS:
        return check("infidelity", value, mark, None, f"too few features: {detail}", interval)
    passed = interval[1] < 1 and interval[0] <= mark
    return check("infidelity", value, mark, passed, detail, interval)


def relative_error(forecast: Tensor, actual: Tensor) -> tuple[float, tuple[float, float]]:
    """Mean squared error of (N, B) predicted changes over the mean square of the actual ones.

    With the 95 % interval of a ratio of means over samples (delta method).
    """
    error = (forecast - actual).square().mean(0)
    change = actual.square().mean(0)
    scale = change.mean().clamp_min(torch.finfo(change.dtype).tiny)
    ratio = error.mean() / scale
    reach = 1.96 * (error - ratio * change).std() / scale / len(error) ** 0.5
    return float(ratio), (float(ratio - reach), float(ratio + reach))


def sensitivity_check(
    attribute: Attribute, forward: ForwardOf, inputs: Tensor, draws: int, generator: Generator
) -> Check:
    """Max-sensitivity to small moves of the windows, compared with the distance of other samples.

    Args:
        attribute: The method, including its baselines.
        forward: Points (P, T, F) and rows of their samples (P,) -> (P,).
        inputs: (B, T, F) windows, two or more.
        draws: Moves per sample, uniform within RADIUS standard deviations of each feature over
            samples and lags.
        generator: Source of the moves.

    Raises:
        ValueError: Fewer than two samples, so that there is no distance for comparison.
    """
    if len(inputs) < 2:
        raise ValueError(f"sensitivity needs at least two samples; there are {len(inputs)}")
    shifts = 2 * torch.rand(draws, *inputs.shape, generator=generator, dtype=torch.float64) - 1
    reach = RADIUS * inputs.std((0, 1), correction=0)
    moved = inputs + shifts.to(inputs) * reach
    usual = attribute(forward, inputs)
    changes = max_sensitivity(usual, (attribute(forward, one) for one in moved)).cpu()
    between = distances(usual).cpu()
    mark, value = float(between.quantile(0.05)), float(changes.median())
    detail = (
        f"moves of {RADIUS:g} standard deviations change the attribution by {value:.1%} of its "
        f"norm; another sample's differs by {float(between.median()):.1%}"
    )
    return check("sensitivity", value, mark, value < mark, detail, median_interval(changes))


def median_interval(values: Tensor) -> tuple[float, float]:
    """95 % interval of a median, from the order statistics of (B,) values; NaN below six."""
    count = len(values)
    if count < 6:
        return np.nan, np.nan
    ordered = values.sort().values
    low = max(0, int(count / 2 - 0.98 * count**0.5))
    return float(ordered[low]), float(ordered[count - 1 - low])
