"""The panel: dates x symbols x features, dense, fingerprinted, memory-mapped when on disk."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Panel:
    """A checked stock panel; every array is read-only and may be a memory map.

    A cell that is missing is NaN. Row d holds what was known at the close of ``dates[d]``.

    Attributes:
        dates: (D,) datetime64[D], strictly increasing trading days.
        symbols: (S,) str.
        features: F names.
        values: (D, S, F) float32 features.
        target: (D, S) float32, what is to be forecast at the close of d; NaN where unknown.
        label_end: (D,) datetime64[D], the date on which the labels of row d become known; NaT where
            that date lies beyond the data.
        member: (D, S) bool, the symbol is in the universe and was observed on that day.
        fingerprint: SHA-256 of the content and of what made it (source, features, target).
        about: What a report says of it: source, notes, terms of use, counted warnings.
    """

    dates: np.ndarray
    symbols: np.ndarray
    features: tuple[str, ...]
    values: np.ndarray
    target: np.ndarray
    label_end: np.ndarray
    member: np.ndarray
    fingerprint: str
    about: dict[str, Any] = field(default_factory=dict)
