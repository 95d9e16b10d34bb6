"""How far two ways to rank the features agree."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
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


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rho of two (F,) importances, ties by their mean rank; 0 where either is constant.

    Raises:
        ValueError: Shapes differ, or there are fewer than two features.
    """
    check_pair(x, y)
    a, b = (mean_ranks(one) - (len(x) + 1) / 2 for one in (x, y))
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0


def kendall(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's tau-b of two (F,) importances; 0 where either is constant.

    Raises:
        ValueError: Shapes differ, or there are fewer than two features.
    """
    check_pair(x, y)
    a, b = (order_signs(one) for one in (x, y))
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0


def check_pair(x: np.ndarray, y: np.ndarray) -> None:
    """Raise ValueError unless both hold the importance of the same two or more features."""
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise ValueError(
            "rankings are compared of the same two or more features, shape (F,); the shapes are "
            f"{x.shape} and {y.shape}"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("importances must be finite to be ranked; drop or fill what is not")


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """(..., F) ranks from 1 within the last axis, ties by their mean rank."""
    sign = np.sign(values[..., :, None] - values[..., None, :])
    return sign.sum(-1) / 2 + (values.shape[-1] + 1) / 2


def order_signs(values: np.ndarray) -> np.ndarray:
    """(..., F (F - 1) / 2) which of two features is ahead: 1, 0 or -1, for every pair."""
    first, second = np.triu_indices(values.shape[-1], 1)
    return np.sign(values[..., first] - values[..., second])


def mean_pairwise_tau(importances: np.ndarray) -> np.ndarray:
    """(..., R, F) importances of R runs -> (...) mean Kendall's tau-b of all pairs of runs.

    With unit vectors u_r of the order signs, the sum over pairs is (|sum u_r|^2 - R) / 2, so no
    pair is gone through. A run whose features are all equal agrees with nothing.
    """
    signs = order_signs(importances)  # (..., R, P)
    norm = np.sqrt((signs**2).sum(-1, keepdims=True))
    unit = signs / np.where(norm > 0, norm, 1.0)
    runs = importances.shape[-2]
    total = (unit.sum(-2) ** 2).sum(-1) - (unit**2).sum((-1, -2))
    return total / (runs * (runs - 1))
