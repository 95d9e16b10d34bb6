"""Facts about a model's training rows, kept beside its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from pydantic import TypeAdapter

from foldproof.tasks.split.fold import Fold

BINS = 10
"""Deciles, the usual bins of a population stability index."""


@dataclass(frozen=True)
class Profile:
    """The distribution of one feature over the members' training rows, in its own unit.

    Attributes:
        edges: Inner borders of the bins, increasing: deciles, fewer if many values are equal. If
            nine of ten are the lowest value, one border just above it, and if all are equal,
            one on either side.
        shares: Share of the values in each bin, one more than ``edges``; a value on a border
            belongs to the bin above. Empty without values.
        low: Smallest value; None without values.
        high: Largest value; None without values.
        missing: Share of cells without a value.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    low: float | None
    high: float | None
    missing: float


@dataclass(frozen=True)
class Background:
    """Facts that a model's scores on new rows are compared with.

    Attributes:
        trained_on: First and last date of the training block.
        fitted_to: Last date used in fitting: the end of validation.
        history: Trading dates that a symbol needs for a score.
        reference: Profile of each feature over the training rows.
        since: First date that a score needs the rows of, where the normalization uses all rows so
            far; None where it forgets.
        importance: Share of each feature in the integrated gradients of the test block; sums to
            1. Empty if the unit was not attributed.
    """

    trained_on: tuple[date, date]
    fitted_to: date
    history: int
    reference: Mapping[str, Profile]
    importance: Mapping[str, float] = field(default_factory=dict)
    since: date | None = None


BACKGROUND = TypeAdapter(Background)
"""Converts it to and from the model's notes."""


def profile(values: np.ndarray) -> Profile:
    """The distribution of (N,) float values; NaN is missing."""
    known = values[np.isfinite(values)].astype(np.float64)
    missing = 1 - len(known) / max(1, len(values))
    if not len(known):
        return Profile((), (), None, None, missing)
    deciles = np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges = np.unique(deciles[deciles > known.min()])
    if not len(edges):  # at least nine of ten values are the lowest one: it gets a bin of its own
        low, others = known.min(), known[known > known.min()]
        edges = np.array([others.min()] if len(others) else [low, np.nextafter(low, np.inf)])
    counts = counted(known, edges)
    return Profile(
        tuple(edges.tolist()),
        tuple((counts / len(known)).tolist()),
        float(known.min()),
        float(known.max()),
        missing,
    )


def counted(known: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(len(edges) + 1,) number of values in each bin."""
    return np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)


def profiles(cells: np.ndarray, features: tuple[str, ...]) -> dict[str, Profile]:
    """The profile of each column of (N, F) cells."""
    return {name: profile(cells[:, k]) for k, name in enumerate(features)}


def trained_on(fold: Fold) -> tuple[date, date]:
    """First and last date of a fold's training block."""
    first, last = (date.fromisoformat(str(day)) for day in fold.train_dates[[0, -1]])
    return first, last


def fitted_to(fold: Fold) -> date:
    """The last date that is used in fitting on a fold."""
    last = max(rows[-1] for rows in (fold.train, fold.validation) if len(rows))
    return date.fromisoformat(str(fold.calendar[last]))
