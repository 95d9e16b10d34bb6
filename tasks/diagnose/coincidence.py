"""How likely chance is to make rows equal that are no copies of each other."""

import numpy as np

from tasks.diagnose.twins import Scaled, distinct

CHANCE = 0.01
"""Equal rows say nothing where chance makes this many of all that were looked for."""
AROUND = 16
"""Values on either side of a value by which the density there is told."""


def by_chance(rows: Scaled, train: np.ndarray, matched: np.ndarray, looked: int) -> np.ndarray:
    """(k,) bool: training rows ``matched`` that one of ``looked`` rows may well equal by chance.

    Args:
        rows: All rows.
        train: (a,) places of the training rows, ascending.
        matched: (k,) those of them that were found.
        looked: Rows for which an equal one was looked for.
    """
    _, group = distinct(rows, train)
    times = np.bincount(group)[group][np.searchsorted(train, matched)]
    from scipy.stats import poisson  # here: it is slow, and configurations are read first

    chance = poisson.sf(times - 1, expected(rows, train, matched)) * looked
    return np.asarray(chance > CHANCE)


def expected(rows: Scaled, train: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """(k,) training rows that would equal each of ``matched`` if features were independent.

    By how many others have its value, and by how dense values lie around it: numbers that differ
    meet within the tolerance where there are enough of them.
    """
    size = len(train)
    out = np.full(len(matched), float(size))
    for column in rows.values.T if len(matched) else ():
        known, wanted = np.sort(column[train]), column[matched]
        low = np.searchsorted(known, wanted - rows.tolerance, side="left")
        high = np.searchsorted(known, wanted + rows.tolerance, side="right")
        begin, end = np.maximum(low - AROUND, 0), np.minimum(high + AROUND, size) - 1
        with np.errstate(divide="ignore", invalid="ignore"):
            near = 2 * rows.tolerance * (end - begin) / (known[end] - known[begin])
        others = np.maximum(np.maximum(high - low - 1, 0), np.nan_to_num(near, posinf=0.0))
        out *= np.minimum(others, size) / size
    return out
