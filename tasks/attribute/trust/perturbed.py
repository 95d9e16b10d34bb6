"""Infidelity and max-sensitivity of Yeh et al. (2019) for given perturbations."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from tasks.attribute.gradients import CHUNK, ForwardOf, outputs_at

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
