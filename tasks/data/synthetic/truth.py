"""A planted signal as a sum of products of cells, and how much each cell matters to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Cell = tuple[str, int]
"""A feature, and the number of days back at which it is read; 0 is the newest row."""


@dataclass(frozen=True)
class Term:
    """A term of a signal: ``weight`` times the product of its cells, each cell at most once.

    Attributes:
        weight: Target units per product of feature units.
        cells: The cells that are multiplied.
    """

    weight: float
    cells: tuple[Cell, ...]


def signal_of(terms: Sequence[Term], windows: np.ndarray, features: Sequence[str]) -> np.ndarray:
    """(B,) best forecast in target units from windows (B, T, F), oldest row first."""
    out = np.zeros(len(windows))
    for term in terms:
        out += term.weight * product(term.cells, windows, features)
    return out


def relevance(terms: Sequence[Term], features: Sequence[str], window: int) -> np.ndarray:
    """(T, F) root mean square derivative of the signal by each cell, oldest row first.

    A closed form for independent cells of mean 0 and variance 1, such as those of different
    features: products of different cells are then uncorrelated, so squared weights add up.

    Raises:
        ValueError: A term reads further back than the window, or an unknown feature.
    """
    squared: dict[tuple[Cell, tuple[Cell, ...]], float] = {}
    for term in terms:
        for cell in term.cells:
            others = tuple(sorted(other for other in term.cells if other != cell))
            squared[cell, others] = squared.get((cell, others), 0.0) + term.weight
    out = np.zeros((window, len(features)))
    for (cell, _), weight in squared.items():
        out[at(cell, window, features)] += weight**2
    return np.sqrt(out)


def product(
    cells: Sequence[Cell], windows: np.ndarray, features: Sequence[str]
) -> np.ndarray | float:
    """(B,) product of the cells in each window; 1 without cells."""
    out: np.ndarray | float = 1.0
    for cell in cells:
        row, column = at(cell, windows.shape[1], features)
        out = out * windows[:, row, column].astype(np.float64)
    return out


def at(cell: Cell, window: int, features: Sequence[str]) -> tuple[int, int]:
    """Row and column of a cell in a window of ``window`` rows, oldest first."""
    feature, lag = cell
    if not 0 <= lag < window or feature not in features:
        raise ValueError(
            f"the signal reads {feature} {lag} days back; a window of {window} rows of "
            f"{', '.join(features)} does not contain it: lengthen the window or keep the feature"
        )
    return window - 1 - lag, list(features).index(feature)
