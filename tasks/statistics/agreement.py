"""Agreement of feature rankings: Kendall's tau and Spearman's rho."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor


def rank_agreement(first: ArrayLike | Tensor, second: ArrayLike | Tensor) -> float:
    """Kendall's tau-b of two importances (F,): 1 for the same order, -1 for the reverse.

    Pairs that tie in one of them count for neither side. NaN where one of them is constant or has
    fewer than two features: there is no order to compare.

    Raises:
        ValueError: Shapes differ or are not (F,), or an importance is not finite.
    """
    return _cosine(*(order_signs(one) for one in _checked(first, second)))


def agreements(importances: Mapping[str, ArrayLike | Tensor]) -> dict[tuple[str, str], float]:
    """:func:`rank_agreement` of each pair, by their names, in the mapping's order."""
    return {
        (one, other): rank_agreement(importances[one], importances[other])
        for one, other in combinations(importances, 2)
    }


def spearman(first: ArrayLike | Tensor, second: ArrayLike | Tensor) -> float:
    """Spearman's rho of two importances (F,), ties by their mean rank.

    NaN where one of them is constant or has fewer than two features. Raises ValueError as
    :func:`rank_agreement` does.
    """
    pair = _checked(first, second)
    return _cosine(*(np.sign(one[:, None] - one).sum(-1) / 2 for one in pair))  # ranks, centred


def _checked(*pair: ArrayLike | Tensor) -> list[np.ndarray]:
    """Both importances as float64 arrays, checked to be finite and of the same features."""
    x, y = (
        np.asarray(one.detach().cpu() if isinstance(one, Tensor) else one, dtype=np.float64)
        for one in pair
    )
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            "two rankings must hold one importance for each of the same features, shape (F,); "
            f"their shapes are {x.shape} and {y.shape}"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("importances must be finite to be ranked; drop or fill NaN and infinity")
    return [x, y]


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    """Cosine of the angle between x and y; NaN where either is zero."""
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else np.nan


def order_signs(values: np.ndarray) -> np.ndarray:
    """(..., F (F - 1) / 2) which of two features is ahead: 1, 0 or -1, for every pair."""
    first, second = np.triu_indices(values.shape[-1], 1)
    return np.sign(values[..., first] - values[..., second])


def mean_pairwise_tau(importances: np.ndarray) -> np.ndarray:
    """(..., R, F) importances of R runs -> (...) mean Kendall's tau-b of all pairs of runs.

    With unit vectors u_r of the order signs, the sum over pairs is (|sum u_r|^2 - R) / 2, so no
    loop over pairs is needed. A run whose features are all equal agrees with nothing: it counts 0.
    """
    signs = order_signs(importances)  # (..., R, P)
    norm = np.sqrt((signs**2).sum(-1, keepdims=True))
    unit = signs / np.where(norm > 0, norm, 1.0)
    runs = importances.shape[-2]
    total = (unit.sum(-2) ** 2).sum(-1) - (unit**2).sum((-1, -2))
    return total / (runs * (runs - 1))
