"""What a planted signal is made of: products of cells, their true slopes and their relevance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Cell = tuple[str, int]
"""A feature and how many days back it is read; 0 is the newest row."""


@dataclass(frozen=True)
class Term:
    """A part of a signal: ``weight`` times the product of its cells, each cell at most once.

    Attributes:
        weight: Target units per product of one feature unit each.
        cells: The cells that are multiplied.
    """

    weight: float
    cells: tuple[Cell, ...]


def terms_of(about: Mapping[str, Any]) -> tuple[Term, ...]:
    """The terms of a planted panel's signal, from ``Panel.about``; none where it is noise.

    Raises:
        ValueError: The panel says nothing of its truth (it is not synthetic), or the sign of its
            signal turns at a date that no cell shows.
    """
    if "sign_turns" in about:
        raise ValueError(
            f"the signal of this panel turns on {about['sign_turns']}, which no cell shows: its "
            "truth depends on the date; take sign_flip, where a feature shows the sign"
        )
    if "signal" in about:
        return tuple(
            Term(weight, tuple((feature, int(lag)) for feature, lag in cells))
            for weight, cells in about["signal"]
        )
    if "truth" not in about:
        raise ValueError(
            f"panel {about.get('source', 'of your own')!r} states no truth; only synthetic sources "
            "know which cells matter"
        )
    return tuple(
        Term(weight, ((feature, int(lag)),))  # int: JSON, as in a cached panel, has text for keys
        for feature, lags in about["truth"].items()
        for lag, weight in lags.items()
    )


def signal_of(terms: Sequence[Term], windows: np.ndarray, features: Sequence[str]) -> np.ndarray:
    """(B,) the best forecast, in target units, from windows (B, T, F), oldest row first."""
    out = np.zeros(len(windows))
    for term in terms:
        out += term.weight * product(term.cells, windows, features)
    return out


def slopes(terms: Sequence[Term], windows: np.ndarray, features: Sequence[str]) -> np.ndarray:
    """(B, T, F) the true partial derivative of the best forecast by every cell of the windows.

    A cell is relevant to a sample where this is not 0. Which cells are may differ from sample to
    sample: a feature that counts in one regime has slope 0 in the other.

    Raises:
        ValueError: A term reads further back than the windows reach, or another feature.
    """
    out = np.zeros(windows.shape)
    for term in terms:
        for cell in term.cells:
            others = tuple(other for other in term.cells if other != cell)
            place = at(cell, windows.shape[1], features)
            out[:, *place] += term.weight * product(others, windows, features)
    return out


def relevance(terms: Sequence[Term], features: Sequence[str], window: int) -> np.ndarray:
    """(T, F) root mean square of the true slopes, oldest row first: how much each cell matters.

    In closed form for cells of mean 0 and variance 1 that are independent of one another, such
    as those of different features: products of different cells are then uncorrelated, so the
    squares of the weights add up.

    Raises:
        ValueError: As :func:`slopes`.
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
    """(B,) product of the cells of each window; 1 for no cell."""
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
            f"{', '.join(features)} does not hold it: lengthen the window, keep the feature"
        )
    return window - 1 - lag, list(features).index(feature)
