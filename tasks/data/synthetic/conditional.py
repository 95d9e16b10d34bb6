"""Rows whose signal no single feature carries: an interaction, a changing sign, a regime."""

from collections.abc import Sequence

import numpy as np

from foldproof.tasks.data.rows import Rows
from foldproof.tasks.data.spec import DataSpec, SyntheticSpec
from foldproof.tasks.data.synthetic.planted import LINEAR, RETURN_UNIT, draw_features, labelled
from foldproof.tasks.data.synthetic.truth import Term, relevance, signal_of

STATE = "f3"
"""The feature that is the sign or the regime: +1 or -1, the same for all stocks of a date."""
INTERACTION = (Term(1.0, (("f0", 0), ("f1", 2))),)
"""f0 today times f1 two days back: neither alone is correlated with the target."""
SIGN_FLIP = tuple(
    Term(weight, ((STATE, 0), (feature, lag)))
    for feature, lags in LINEAR.items()
    for lag, weight in lags.items()
)
"""The linear signal times the state: over dates, every effect averages to zero."""
SWITCHING = (
    Term(0.5, (("f0", 0),)), Term(0.5, ((STATE, 0), ("f0", 0))),
    Term(0.5, (("f1", 2),)), Term(-0.5, ((STATE, 0), ("f1", 2))),
)  # fmt: skip
"""f0 today where the state is +1, f1 two days back where it is -1."""


def polynomial(spec: DataSpec, shape: Sequence[Term], state: bool = False) -> Rows:
    """Draw features and a target whose correlation with the best forecast is ``signal``.

    y[d] = unit (signal g(x[d], x[d-1], ...) + sqrt(1 - signal^2) e[d]), g a sum of products of
    cells with variance 1. The optional state is a Markov chain of +1 and -1 with the
    ``persistence`` of the features; at 0 its rows are independent.
    """
    size = spec.synthetic
    generator = np.random.default_rng(size.seed)
    oldest = max(lag for term in shape for _, lag in term.cells)
    features = draw_features(generator, size, size.days + oldest)
    if state:
        features[:, :, int(STATE[1:])] = draw_state(generator, size, len(features))[:, None]
    # products of different independent cells with mean 0 and variance 1 are uncorrelated
    unit = RETURN_UNIT * size.signal / sum(term.weight**2 for term in shape) ** 0.5
    terms = tuple(Term(unit * term.weight, term.cells) for term in shape)
    names = [f"f{k}" for k in range(size.n_features)]
    moved = np.lib.stride_tricks.sliding_window_view(features, oldest + 1, axis=0)
    windows = moved.transpose(0, 1, 3, 2).reshape(-1, oldest + 1, size.n_features)
    signal = signal_of(terms, windows, names).reshape(size.days, size.symbols)
    frame = labelled(generator, size, features[oldest:], signal)
    about = {
        "truth": by_cell(relevance(terms, names, oldest + 1), names),
        "signal": [[term.weight, [[*cell] for cell in term.cells]] for term in terms],
        "information_coefficient": size.signal,
    }
    return Rows(frame, f"the synthetic source {spec.source}", about=about)


def draw_state(generator: np.random.Generator, size: SyntheticSpec, days: int) -> np.ndarray:
    """(days,) +1 or -1, equally often, with first-order autocorrelation ``persistence``."""
    turns = generator.random(days) < (1 - size.persistence) / 2
    return np.where(np.cumsum(turns) % 2 == 0, 1.0, -1.0) * generator.choice([-1.0, 1.0])


def by_cell(matters: np.ndarray, names: Sequence[str]) -> dict[str, dict[int, float]]:
    """The relevance (T, F) that is not 0, as feature -> days back -> root mean square slope."""
    found: dict[str, dict[int, float]] = {}
    for row, column in zip(*np.nonzero(matters), strict=True):
        lag = len(matters) - 1 - int(row)
        found.setdefault(names[column], {})[lag] = float(matters[row, column])
    return found
