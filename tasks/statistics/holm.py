"""Holm's step-down correction for several tests."""

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values of ``p`` (V,); NaN stays NaN and counts as a hypothesis.

    The i-th smallest of m p-values is multiplied by m - i + 1, and raised to the one before it if
    smaller. Rejecting those up to a level keeps the probability of any false rejection at that
    level, whatever the dependence between the tests (Holm 1979, Scandinavian Journal of
    Statistics 6).
    """
    known = np.where(np.isnan(p), 1.0, p)
    order = known.argsort(kind="stable")
    stepped = np.maximum.accumulate(known[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return np.where(np.isnan(p), np.nan, adjusted)
