"""Equal rows of two large tables, without comparing every pair."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.perturb.compare import moved, spread

CHUNK = 500_000
"""Pairs compared at a time."""
MOST = 200_000_000
"""Largest number of pairs: with more, the tolerance is too wide to mean equality."""
NEIGHBOURS = 50
"""Rows of one date that are compared with each row."""
CHANCE = 0.01
"""Equal rows are not evidence if the chance of finding one among those searched exceeds this."""
AROUND = 16
"""Values on either side of a value that estimate the density there."""


@dataclass(frozen=True, eq=False)
class Scaled:
    """Rows in units of the standard deviation of the training rows.

    Attributes:
        values: (n, F) float64; NaN where missing.
        line: (n,) projection on a random direction, on which equal rows lie close together.
        check: (n,) a second projection, which drops most pairs that are close by chance.
        reach: Largest distance on either projection of rows that are equal within the tolerance.
        tolerance: In standard deviations.
    """

    values: np.ndarray
    line: np.ndarray
    check: np.ndarray
    reach: float
    tolerance: float

    def equal(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(k,) bool: rows ``left`` (k,) and ``right`` (k,) are equal; NaN equals NaN.

        Pairs are compared in chunks, to bound memory.
        """
        near = np.abs(self.check[left] - self.check[right]) <= self.reach
        out = np.zeros(len(left), bool)
        close = np.flatnonzero(near)
        for start in range(0, len(close), CHUNK):
            part = close[start : start + CHUNK]
            sizes = moved(self.values[left[part]], self.values[right[part]])
            out[part] = (sizes <= self.tolerance).all(axis=1)
        return out


def scaled(values: np.ndarray, train: np.ndarray, tolerance: float) -> Scaled:
    """Scale (n, F) ``values`` by mean and sd of rows ``train``; fastest in column order."""
    out = np.empty(values.shape, order="F")
    draws = np.random.default_rng(0).normal(size=(2, values.shape[1]))
    lines = np.zeros((2, len(values)))
    for column in range(values.shape[1]):
        known = values[train, column]
        finite = known[np.isfinite(known)]
        centre = float(finite.mean()) if finite.size else 0.0
        unit = (values[:, column] - centre) / spread(known)
        out[:, column] = unit + 0.0  # turns -0.0 into 0.0: they hash differently
        filled = np.nan_to_num(unit, copy=False, nan=7.0, posinf=1e6, neginf=-1e6)
        lines += draws[:, [column]] * filled  # a matrix product may round equal rows differently
    rounding = 1e-14 * float(np.abs(lines).max(initial=1.0))
    reach = tolerance * float(np.abs(draws).sum(axis=1).max()) + rounding
    return Scaled(out, lines[0], lines[1], reach, tolerance)


def distinct(rows: Scaled, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each group of identical rows ``among`` (k,), and (k,) group numbers."""
    hashes = pd.util.hash_pandas_object(pd.DataFrame(rows.values[among]), index=False)
    _, first, group = np.unique(hashes.to_numpy(), return_index=True, return_inverse=True)
    return among[first], group


def equal_row_of(rows: Scaled, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(k,) int: for each row of ``left`` an equal row of ``right``, or -1.

    Sorting along one random direction leaves few candidates, and each is compared in full: the
    result is exact.

    Raises:
        ValueError: The tolerance is so wide that nearly all rows are candidates.
    """
    mine, group = distinct(rows, left)
    others, _ = distinct(rows, right)
    order = others[np.argsort(rows.line[others], kind="stable")]
    sorted_line = rows.line[order]
    low = np.searchsorted(sorted_line, rows.line[mine] - rows.reach, side="left")
    high = np.searchsorted(sorted_line, rows.line[mine] + rows.reach, side="right")
    counts = high - low
    if counts.sum() > MOST:
        raise ValueError(
            f"a tolerance of {rows.tolerance:g} sd leaves {counts.sum():.3g} pairs of rows to "
            "compare; lower it, or leave out features with few values"
        )
    found = np.full(len(mine), -1)
    ends = np.cumsum(counts)
    for part in chunks_by_pairs(ends):
        pairs = np.repeat(part, counts[part])
        begins = ends[part] - counts[part]
        offset = np.arange(len(pairs)) - np.repeat(begins - begins[0], counts[part])
        other = order[low[pairs] + offset]
        equal = rows.equal(mine[pairs], other)
        found[pairs[equal]] = other[equal]
    return found[group]


def chunks_by_pairs(ends: np.ndarray) -> Iterator[np.ndarray]:
    """Runs of rows with about a chunk of pairs each; ``ends`` counts pairs up to each row."""
    busy = np.flatnonzero(np.diff(ends, prepend=0) > 0)
    borders = np.flatnonzero(np.diff(ends[busy] // CHUNK) > 0) + 1
    yield from (part for part in np.split(busy, borders) if len(part))


def equal_within_dates(
    rows: Scaled, day: np.ndarray, among: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of equal rows ``among`` (k,) of the same ``day`` (n,).

    Only the 50 rows next to each along the line are compared, which is enough unless most of a
    market is equal.
    """
    order = among[np.lexsort((rows.line[among], day[among]))]
    left, right = [], []
    for step in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
        one, other = order[:-step], order[step:]
        close = (day[one] == day[other]) & (rows.line[other] - rows.line[one] <= rows.reach)
        if not close.any():
            break
        equal = rows.equal(one[close], other[close])
        left.append(one[close][equal])
        right.append(other[close][equal])
    empty = np.empty(0, int)
    return np.concatenate([*left, empty]), np.concatenate([*right, empty])


def by_chance(rows: Scaled, train: np.ndarray, matched: np.ndarray, searched: int) -> np.ndarray:
    """(k,) bool: training rows ``matched`` that one of ``searched`` rows may equal by chance.

    Args:
        rows: All rows.
        train: (a,) places of the training rows, ascending.
        matched: (k,) the training rows that equal a test row.
        searched: Number of rows for which an equal one was searched.
    """
    _, group = distinct(rows, train)
    times = np.bincount(group)[group][np.searchsorted(train, matched)]
    from scipy.stats import poisson  # here, because the import is slow

    chance = poisson.sf(times - 1, expected_equals(rows, train, matched)) * searched
    return np.asarray(chance > CHANCE)


def expected_equals(rows: Scaled, train: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """(k,) expected training rows equal to each of ``matched``, if features were independent.

    For each feature the larger of two estimates: the other rows with the same value, and the
    density of values around it, because distinct numbers meet within the tolerance if dense enough.
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
