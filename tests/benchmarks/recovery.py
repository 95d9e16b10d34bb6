"""How well attributions find the relevant cells. Pure functions of arrays.

Area under precision, area under recall, information and entropy follow Crabbe & van der Schaar
(2021, ICML, "Explaining Time Series Predictions with Dynamic Masks"), with the conventions of the
code published with Enguehard, "Learning Perturbations to Explain Time Series Predictions" (2023,
ICML; package time_interpret): scores are scaled to [0, 1] per sample, then all cells of all samples
form one curve.
"""

from typing import NamedTuple

import numpy as np

EPSILON = 1e-5
"""Avoids log 0 and a division by 0 for a constant sample, as published."""


class Curve(NamedTuple):
    """Precision and recall of the cells with at least the score ``threshold``, ascending; (K,)."""

    threshold: np.ndarray
    precision: np.ndarray
    recall: np.ndarray


class Recovery(NamedTuple):
    """The published figures; higher is better, except for entropy."""

    aup: float
    aur: float
    information: float
    entropy: float
    auroc: float
    auprc: float


def recovery(relevant: np.ndarray, attributions: np.ndarray) -> Recovery:
    """All figures of attributions (B, T, F), of either sign, against the relevant cells, bool."""
    score = to_unit_range(np.abs(attributions))
    curve = precision_recall(relevant, score)
    found = score[relevant]
    return Recovery(
        area(curve.threshold, curve.precision),
        area(curve.threshold, curve.recall),
        information(found),
        entropy(found),
        area_under_roc(relevant, score),
        average_precision(relevant, score),
    )


def to_unit_range(score: np.ndarray) -> np.ndarray:
    """(B, ...) scores scaled to [0, 1) per sample; the largest is just below 1."""
    cells = tuple(range(1, score.ndim))
    low, high = (f(score, axis=cells, keepdims=True) for f in (np.min, np.max))
    return (score - low) / (high - low + EPSILON)


def precision_recall(relevant: np.ndarray, score: np.ndarray) -> Curve:
    """Precision and recall at every distinct score.

    Raises:
        ValueError: No cell is relevant.
    """
    truth, value = relevant.ravel(), score.ravel()
    if not truth.any():
        raise ValueError(f"none of the {truth.size} cells is relevant; recall has no meaning")
    order = np.argsort(-value, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.r_[np.diff(value[order]) != 0, True]  # tied cells share a threshold
    hits, selected = hits[last], (np.arange(len(order)) + 1)[last]
    return Curve(value[order][last][::-1], (hits / selected)[::-1], (hits / hits[-1])[::-1])


def area(x: np.ndarray, y: np.ndarray) -> float:
    """Trapezoid area below y over rising x, both (K,); 0 for a single point."""
    return float(np.trapezoid(y, x))


def average_precision(relevant: np.ndarray, score: np.ndarray) -> float:
    """Area under the precision-recall curve in steps; trapezoids would be optimistic."""
    curve = precision_recall(relevant, score)
    steps = -np.diff(np.r_[curve.recall, 0.0])
    return float(steps @ curve.precision)


def area_under_roc(relevant: np.ndarray, score: np.ndarray) -> float:
    """Probability that a relevant cell scores above an irrelevant one; ties count half."""
    _, place, count = np.unique(score.ravel(), return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(count) - (count - 1) / 2
    truth = relevant.ravel()
    n, total = int(truth.sum()), truth.size
    above = mean_rank[place[truth]].sum() - n * (n + 1) / 2
    return float(above / (n * (total - n)))


def information(found: np.ndarray) -> float:
    """Sum of -log2(1 - score) over the relevant cells, in bits: high scores count in full."""
    return float(np.abs(np.log2(1 - found + EPSILON)).sum())


def entropy(found: np.ndarray) -> float:
    """Sum of the binary entropies of the relevant cells, in bits: 0 where all scores are 0 or 1."""
    inside = found * np.abs(np.log2(EPSILON + found))
    return float((inside + (1 - found) * np.abs(np.log2(EPSILON + 1 - found))).sum())


def mean_average_precision(relevant: np.ndarray, score: np.ndarray) -> float:
    """Mean of the samples' average precision; samples without a relevant cell are left out."""
    known = relevant.reshape(len(relevant), -1).any(1)
    each = [average_precision(r, s) for r, s in zip(relevant[known], score[known], strict=True)]
    return float(np.mean(each))
