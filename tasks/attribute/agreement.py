"""How far two ways to rank the features agree."""

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor


def rank_agreement(first: Tensor, second: Tensor) -> float:
    """Kendall's tau-b of two importances (F,): 1 the same order, 0 unrelated, -1 reversed.

    Pairs that tie in one of them count for neither side. NaN where one of them ties throughout, or
    with fewer than two features: there is no order to agree on.

    Raises:
        ValueError: Shapes differ, or are not (F,), or an importance is not finite.
    """
    if first.shape != second.shape or first.dim() != 1:
        raise ValueError(
            f"importances must be one number for each feature, (F,) twice; their shapes are "
            f"{tuple(first.shape)} and {tuple(second.shape)}"
        )
    if not bool(first.isfinite().all() and second.isfinite().all()):
        raise ValueError("importances must be finite to be ranked; some are NaN or infinite")
    one, other = (
        (each.unsqueeze(0) - each.unsqueeze(1)).sign().double() for each in (first, second)
    )
    ordered = (one.abs().sum() * other.abs().sum()).sqrt()
    return float((one * other).sum() / ordered) if ordered > 0 else torch.nan


def agreements(importances: Mapping[str, Tensor]) -> dict[tuple[str, str], float]:
    """:func:`rank_agreement` of each pair, by their names, in the mapping's order."""
    return {
        (one, other): rank_agreement(importances[one], importances[other])
        for one, other in combinations(importances, 2)
    }
