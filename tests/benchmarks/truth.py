"""The truth of a planted panel: which cells of which window carry its signal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foldproof.tasks.data.synthetic.truth import Term, at, product


def terms_of(about: Mapping[str, Any]) -> tuple[Term, ...]:
    """The terms of a planted panel's signal, from ``Panel.about``; none if it is noise.

    Raises:
        ValueError: The panel states no truth (it is not synthetic), or its signal changes sign at
            a date that no cell reveals.
    """
    if "sign_turns" in about:
        raise ValueError(
            f"the signal of this panel changes sign on {about['sign_turns']}, which no cell "
            "reveals; use sign_flip, where a feature is the sign"
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


def slopes(terms: Sequence[Term], windows: np.ndarray, features: Sequence[str]) -> np.ndarray:
    """(B, T, F) true partial derivative of the best forecast by each cell of the windows.

    A cell is relevant to a sample if this is not 0. Relevant cells differ between samples: a
    feature that counts in one regime has slope 0 in the other.

    Raises:
        ValueError: A term reads further back than the windows, or an unknown feature.
    """
    out = np.zeros(windows.shape)
    for term in terms:
        for cell in term.cells:
            others = tuple(other for other in term.cells if other != cell)
            place = at(cell, windows.shape[1], features)
            out[:, *place] += term.weight * product(others, windows, features)
    return out
