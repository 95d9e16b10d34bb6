"""Places on a straight path where a maximum switches: slopes jump, so quadrature is split there."""

from bisect import bisect
from collections.abc import Callable, Sequence
from math import ceil

import numpy as np

from foldproof.tasks.attribute.methods.integrated import gauss_legendre
from foldproof.tasks.attribute.origins.torch_features import LogPrices

NEAR = (1e-9, 1e-6)
"""Cuts closer than this are merged: those of the own window, and those of all other cells."""
MOST = 600
"""Pieces of a path; where there would be more, kinks of other cells are merged more coarsely."""


def kinks(start: LogPrices, end: LogPrices, rows: range, names: Sequence[str]) -> list[list[float]]:
    """For each symbol, the places on the path where features ``names`` on ``rows`` have a kink."""
    (close, on_close), (returns, on_returns) = (
        [getattr(p, field).T.numpy() for p in (start, end)] for field in ("close", "returns")
    )
    changes = (on_close - close, on_returns - returns)
    return [own_kinks(*lines, rows, names) for lines in zip(close, returns, *changes, strict=True)]


def own_kinks(
    close: np.ndarray,
    returns: np.ndarray,
    close_change: np.ndarray,
    returns_change: np.ndarray,
    rows: range,
    names: Sequence[str],
) -> list[float]:
    """The places of one symbol, from log closes (R,), returns (R,) and their changes."""
    extremes = {
        "max_return_21": (returns, returns_change, 21),
        "drawdown_252": (close, close_change, 252),
        "rise_252": (-close, -close_change, 252),
    }
    found: list[float] = []
    for start, change, length in (extremes[name] for name in names if name in extremes):
        for row in rows:
            window = slice(row + 1 - length, row + 1)
            found += lead_changes(start[window], change[window])
    if "illiquidity_21" in names:
        used = slice(rows.start - 20, rows.stop)
        found += sign_changes(returns[used], returns_change[used])
    return found


def lead_changes(start: np.ndarray, change: np.ndarray) -> list[float]:
    """Places in (0, 1) at which another element of ``start + place * change`` becomes the largest.

    The maximum of straight lines is convex: the next line to lead is the steeper line that the
    current leader meets first.

    Args:
        start: (M,) finite.
        change: (M,) finite.
    """
    found: list[float] = []
    leader = int(np.lexsort((change, start))[-1])
    while True:
        steeper = np.flatnonzero(change > change[leader])
        if not len(steeper):
            return found
        meets = (start[leader] - start[steeper]) / (change[steeper] - change[leader])
        place = float(meets.min())
        if place >= 1:
            return found
        if place > 0:
            found.append(place)
        first = steeper[meets == place]
        leader = int(first[change[first].argmax()])


def sign_changes(start: np.ndarray, change: np.ndarray) -> list[float]:
    """Places in (0, 1) at which an element of ``start + place * change`` (M,) crosses 0."""
    moving = change != 0
    places = -start[moving] / change[moving]
    return [float(place) for place in places if 0 < place < 1]


def cuts(own: Sequence[float], others: Sequence[float] = ()) -> np.ndarray:
    """Ascending from 0 to 1: all of ``own``, and those of ``others`` that are not near a cut."""
    exact, distance = merged(NEAR[0], own, [0.0, 1.0]), NEAR[1]
    kept = merged(distance, others, exact)
    while len(kept) > MOST and len(kept) > len(exact):
        distance *= 2
        kept = merged(distance, others, exact)
    return np.array(kept)


def merged(distance: float, places: Sequence[float], kept: Sequence[float]) -> list[float]:
    """``kept``, ascending from 0 to 1, and the ``places`` farther than ``distance`` from all."""
    found = list(kept)
    for place in sorted(places):
        at = bisect(found, place)
        if place - found[at - 1] > distance and found[at] - place > distance:
            found.insert(at, place)
    return found


def pieces(edges: np.ndarray) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """Gauss-Legendre between cuts: as accurate on a slope that jumps there as on a smooth one.

    Each piece gets its share of the nodes, at least 1, and one more with every doubling.
    """

    def rule(nodes: int) -> tuple[np.ndarray, np.ndarray]:
        parts = []
        for begin, width in zip(edges[:-1], np.diff(edges), strict=True):
            place, weight = gauss_legendre(max(nodes.bit_length() - 3, ceil(nodes * width), 1))
            parts.append((begin + width * place, width * weight))
        return np.concatenate([p for p, _ in parts]), np.concatenate([w for _, w in parts])

    return rule
