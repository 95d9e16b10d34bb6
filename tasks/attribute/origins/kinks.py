"""Where on a straight way a maximum changes hands: slopes jump, so quadrature is cut there."""

from bisect import bisect
from collections.abc import Callable, Sequence
from math import ceil

import numpy as np

from foldproof.tasks.attribute.methods.integrated import gauss_legendre
from foldproof.tasks.attribute.origins.torch_features import LogPrices

NEAR = (1e-9, 1e-6)
"""Cuts nearer to each other are one: of the own window, and of what else a forecast rests on."""
MOST = 600
"""Pieces of a way; where there would be more, kinks of other cells are told apart less finely."""


def kinks(start: LogPrices, end: LogPrices, rows: range, names: Sequence[str]) -> list[list[float]]:
    """For each symbol the places at which features ``names`` on date rows ``rows`` have a kink."""
    (close, on_close), (returns, on_returns) = (
        [getattr(p, field).T.numpy() for p in (start, end)] for field in ("close", "returns")
    )
    ways = (on_close - close, on_returns - returns)
    return [own_kinks(*lines, rows, names) for lines in zip(close, returns, *ways, strict=True)]


def own_kinks(
    close: np.ndarray,
    returns: np.ndarray,
    close_way: np.ndarray,
    returns_way: np.ndarray,
    rows: range,
    names: Sequence[str],
) -> list[float]:
    """The places of one symbol, of log closes (R,), returns (R,) and what they move by."""
    extremes = {
        "max_return_21": (returns, returns_way, 21),
        "drawdown_252": (close, close_way, 252),
        "rise_252": (-close, -close_way, 252),
    }
    found: list[float] = []
    for before, way, length in (extremes[name] for name in names if name in extremes):
        for row in rows:
            window = slice(row + 1 - length, row + 1)
            found += handovers(before[window], way[window])
    if "illiquidity_21" in names:
        used = slice(rows.start - 20, rows.stop)
        found += sign_changes(returns[used], returns_way[used])
    return found


def handovers(start: np.ndarray, way: np.ndarray) -> list[float]:
    """Places in (0, 1) at which the largest of ``start + place * way`` becomes another one.

    The largest of straight lines is convex: from the line that leads, the next to lead is the one
    among the steeper that it meets first.

    Args:
        start: (M,) finite.
        way: (M,) finite.
    """
    found: list[float] = []
    leader = int(np.lexsort((way, start))[-1])
    while True:
        steeper = np.flatnonzero(way > way[leader])
        if not len(steeper):
            return found
        meets = (start[leader] - start[steeper]) / (way[steeper] - way[leader])
        place = float(meets.min())
        if place >= 1:
            return found
        if place > 0:
            found.append(place)
        first = steeper[meets == place]
        leader = int(first[way[first].argmax()])


def sign_changes(start: np.ndarray, way: np.ndarray) -> list[float]:
    """Places in (0, 1) at which one of ``start + place * way`` (M,) goes through 0."""
    moving = way != 0
    places = -start[moving] / way[moving]
    return [float(place) for place in places if 0 < place < 1]


def cuts(own: Sequence[float], others: Sequence[float] = ()) -> np.ndarray:
    """Ascending from 0 to 1: all of ``own``, and of ``others`` those that are not near a cut."""
    exact, apart = apart_by(NEAR[0], own, [0.0, 1.0]), NEAR[1]
    kept = apart_by(apart, others, exact)
    while len(kept) > MOST and len(kept) > len(exact):
        apart *= 2
        kept = apart_by(apart, others, exact)
    return np.array(kept)


def apart_by(distance: float, places: Sequence[float], kept: Sequence[float]) -> list[float]:
    """``kept``, which ascend from 0 to 1, and those of ``places`` that are as far from all."""
    found = list(kept)
    for place in sorted(places):
        at = bisect(found, place)
        if place - found[at - 1] > distance and found[at] - place > distance:
            found.insert(at, place)
    return found


def pieces(edges: np.ndarray) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """Gauss-Legendre between cuts: as exact on a slope that jumps there as on a smooth one.

    Each piece has its share of the nodes, at least 1, and one more with every doubling.
    """

    def rule(nodes: int) -> tuple[np.ndarray, np.ndarray]:
        parts = []
        for begin, width in zip(edges[:-1], np.diff(edges), strict=True):
            place, weight = gauss_legendre(max(nodes.bit_length() - 3, ceil(nodes * width), 1))
            parts.append((begin + width * place, width * weight))
        return np.concatenate([p for p, _ in parts]), np.concatenate([w for _, w in parts])

    return rule
