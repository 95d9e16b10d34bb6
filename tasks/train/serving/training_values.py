"""What a model knows of the rows it was trained on, kept beside its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from pydantic import TypeAdapter

from foldproof.tasks.split.fold import Fold

BINS = 10
"""Deciles: what a population stability index usually counts by."""


@dataclass(frozen=True)
class Profile:
    """The distribution of one feature over the members' training rows, in its own unit.

    Attributes:
        edges: Inner borders of the bins, increasing: deciles, fewer where many values are equal.
        shares: Share of the values in each bin, one more than ``edges``; a value on a border lies
            in the bin above. Empty where there was no value.
        low: Least value; None where there was none.
        high: Greatest value.
        missing: Share of cells without a value.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    low: float | None
    high: float | None
    missing: float


@dataclass(frozen=True)
class Background:
    """What a model's scores on new rows are held against.

    Attributes:
        trained_on: First and last date of the training block.
        fitted_to: Last date that fitting looked at: the end of validation.
        history: Trading dates that a symbol needs up to a date to be scored on it.
        reference: Profile of every feature over the training rows.
        importance: Share of every feature in the integrated gradients of its test block; sums to
            1. Empty where it was not attributed.
    """

    trained_on: tuple[date, date]
    fitted_to: date
    history: int
    reference: Mapping[str, Profile]
    importance: Mapping[str, float] = field(default_factory=dict)


BACKGROUND = TypeAdapter(Background)
"""To and from the model's notes."""


def profile(values: np.ndarray) -> Profile:
    """The distribution of (N,) float values, NaN where missing."""
    known = values[np.isfinite(values)].astype(np.float64)
    missing = 1 - len(known) / max(1, len(values))
    if not len(known):
        return Profile((), (), None, None, missing)
    deciles = np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges = np.unique(deciles[deciles > known.min()])
    counts = counted(known, edges)
    return Profile(
        tuple(edges.tolist()),
        tuple((counts / len(known)).tolist()),
        float(known.min()),
        float(known.max()),
        missing,
    )


def counted(known: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(len(edges) + 1,) how many of the values lie in each bin."""
    return np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)


def profiles(cells: np.ndarray, features: tuple[str, ...]) -> dict[str, Profile]:
    """A profile for every column of (N, F) cells."""
    return {name: profile(cells[:, k]) for k, name in enumerate(features)}


def trained_on(fold: Fold) -> tuple[date, date]:
    """First and last date of a fold's training block."""
    first, last = (date.fromisoformat(str(day)) for day in fold.train_dates[[0, -1]])
    return first, last


def fitted_to(fold: Fold) -> date:
    """The last date that fitting on a fold looks at."""
    days = fold.validation_dates if len(fold.validation) else fold.train_dates
    return date.fromisoformat(str(days[-1]))
