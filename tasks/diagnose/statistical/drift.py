"""Drift: can rows of the test block be told from rows of the training block?"""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import informational_finding, unknown_finding
from foldproof.tasks.diagnose.statistical.screen import indexed

TEST, STAGE = "drift", "features"
PIECES = 20
"""Runs of dates that are told apart in turn: even ones by what odd ones taught, and back."""
MOST_ROWS = 5000
"""Rows that the classifier sees; more are thinned out."""
WAVES = 128
"""Random Fourier features, by which it sees what features do together."""
RIDGE = 0.01
"""Weight of its penalty, in variances of a column of unit size."""
UNIFORM = 12**0.5
"""One over the standard deviation of ranks between 0 and 1."""


def drift(
    features: pd.DataFrame,
    train_dates: np.ndarray,
    test_dates: np.ndarray,
    *,
    turns: int = 19,
    seed: int = 0,
) -> Finding:
    """Area under the ROC curve of telling test rows from training rows (adversarial validation).

    A kernel ridge regression learns on every other run of dates and is asked about the rest: on
    ranks of the features, on which of them are missing, and on random Fourier features of the ranks
    (Rahimi & Recht 2007). The null turns the test block round the circle of dates: features that
    persist let any stretch as long be told from the others. Drift is no leak; it says where a
    forecaster has to extrapolate. A symptom where the area is above the catalogue's threshold and
    above that of all other places.

    Args:
        features: Indexed (date, symbol), or long with these columns.
        train_dates: (n,) dates.
        test_dates: (m,) dates.
        turns: Other places of the test block that are tried, evenly spaced.
        seed: Of the choice of rows, where there are many.
    """
    frame = indexed(features)
    frame = frame[frame.index.get_level_values(0).isin([*train_dates, *test_dates])]
    dates, row = np.unique(frame.index.get_level_values(0).to_numpy(), return_inverse=True)
    late = np.isin(dates, np.asarray(test_dates).astype(dates.dtype))
    tested = f"{len(frame.columns)} features, {(~late).sum()} against {late.sum()} dates"
    if min(late.sum(), (~late).sum()) < PIECES or frame.shape[1] == 0:
        reason = f"{PIECES} dates on either side and a feature are needed"
        return unknown_finding(TEST, STAGE, reason, tested, counts=False)
    generator = np.random.default_rng(seed)
    kept = generator.permutation(len(frame))[:MOST_ROWS]
    seen, row = shapes(frame.to_numpy(dtype=np.float64)[kept], generator), row[kept]
    found = told_apart(seen, row, late)
    places = np.linspace(0, len(dates), turns + 2)[1:-1].astype(int)
    others = np.array([told_apart(seen, row, np.roll(late, place)) for place in places])
    p = (1 + int((others >= found).sum())) / (1 + turns)
    symptom = found > max(DIAGNOSTICS[TEST].threshold, others.max())
    detail = (
        f"AUC {found:.2f}; other stretches as long reach {others.max():.2f} "
        f"({np.median(others):.2f} in the median), p = {p:.2g}: drift is no leak"
    )
    return informational_finding(TEST, STAGE, found, symptom, tested, detail)


def shapes(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(n, K) columns by whose weighted sum rows are told apart, each of mean 0.

    Args:
        values: (n, F) features, NaN where missing.
        generator: Of the directions and phases of the waves.
    """
    ranks = UNIFORM * (pd.DataFrame(values).rank(pct=True).to_numpy() - 0.5)
    missing = np.isnan(values)
    ranks[missing] = 0.0
    width = values.shape[1]
    directions = generator.standard_normal((width, WAVES)) / width**0.5
    waves = np.cos(ranks @ directions + generator.uniform(0, 2 * np.pi, WAVES))
    columns = np.column_stack([ranks, missing[:, missing.any(axis=0)], waves])
    return columns - columns.mean(axis=0)


def told_apart(seen: np.ndarray, row: np.ndarray, late: np.ndarray) -> float:
    """AUC of telling rows of ``late`` dates, each asked of a model of other runs of dates.

    Args:
        seen: (n, K) of :func:`shapes`.
        row: (n,) number of the date of each row.
        late: (D,) bool, dates of the test block.
    """
    wanted = late[row]
    piece = np.empty(len(late), dtype=np.int64)
    for side in (late, ~late):  # both sides have all runs
        piece[side] = np.arange(side.sum()) * PIECES // side.sum()
    odd = piece[row] % 2 == 1
    areas = []
    for asked in (odd, ~odd):
        x, y = seen[~asked], wanted[~asked] - wanted[~asked].mean()
        penalty = RIDGE * len(x) * np.eye(x.shape[1])
        weights = np.linalg.solve(x.T @ x + penalty, x.T @ y)
        areas.append(area(seen[asked] @ weights, wanted[asked]))
    return float(np.mean(areas))


def area(scores: np.ndarray, wanted: np.ndarray) -> float:
    """Area under the ROC curve: how often a ``wanted`` row scores above another, ties by half."""
    ranks = pd.Series(scores).rank().to_numpy()
    hits = wanted.sum()
    return float((ranks[wanted].sum() - hits * (hits + 1) / 2) / (hits * (~wanted).sum()))
