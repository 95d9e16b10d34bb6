"""Drift: can a classifier distinguish rows of the test block from rows of the training block?"""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import informational_finding, unknown_finding

TEST, STAGE = "drift", "features"
PIECES = 20
"""Runs of dates for cross-validation: odd runs train for even ones, and even for odd."""
MOST_ROWS = 5000
"""Largest number of rows for the classifier; more are sampled."""
WAVES = 128
"""Number of random Fourier features, which represent interactions of features."""
RIDGE = 0.01
"""Weight of the ridge penalty, in variances of a column of unit size."""
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
    """AUC of a classifier of test rows against training rows (adversarial validation).

    A kernel ridge regression is cross-validated over runs of dates, on the ranks of the features,
    on their missing values, and on random Fourier features of the ranks (Rahimi & Recht 2007). The
    null shifts the test block around the circle of dates: with persistent features, any stretch of
    the same length can be distinguished from the rest. Drift is not a leak; it shows where a
    forecaster has to extrapolate. It is a symptom if the AUC exceeds the catalogue's threshold and
    that of all other positions.

    Args:
        features: Indexed (date, symbol); only numeric columns are used.
        train_dates: (n,) dates.
        test_dates: (m,) dates.
        turns: Number of other positions of the test block, evenly spaced.
        seed: Of the sample of rows.
    """
    frame = features.select_dtypes("number")
    frame = frame[frame.index.get_level_values(0).isin([*train_dates, *test_dates])]
    dates, row = np.unique(frame.index.get_level_values(0).to_numpy(), return_inverse=True)
    late = np.isin(dates, np.asarray(test_dates).astype(dates.dtype))
    tested = f"{len(frame.columns)} features, {(~late).sum()} against {late.sum()} dates"
    if min(late.sum(), (~late).sum()) < PIECES or frame.shape[1] == 0:
        reason = f"at least {PIECES} dates on either side and a feature are needed"
        return unknown_finding(TEST, STAGE, reason, tested, counts=False)
    generator = np.random.default_rng(seed)
    kept = generator.permutation(len(frame))[:MOST_ROWS]
    columns, row = regressors(frame.to_numpy(dtype=np.float64)[kept], generator), row[kept]
    found = block_auc(columns, row, late)
    places = np.linspace(0, len(dates), turns + 2)[1:-1].astype(int)
    others = np.array([block_auc(columns, row, np.roll(late, place)) for place in places])
    p = (1 + int((others >= found).sum())) / (1 + turns)
    symptom = found > max(DIAGNOSTICS[TEST].threshold, others.max())
    detail = (
        f"AUC {found:.2f}; other stretches of the same length reach up to {others.max():.2f} "
        f"(median {np.median(others):.2f}), p = {p:.2g}: drift is not a leak"
    )
    return informational_finding(TEST, STAGE, found, symptom, tested, detail)


def regressors(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(n, K) columns of the classifier, each with mean 0.

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


def block_auc(columns: np.ndarray, row: np.ndarray, late: np.ndarray) -> float:
    """Cross-validated AUC for rows of ``late`` dates against the other rows.

    Args:
        columns: (n, K) of :func:`regressors`.
        row: (n,) number of each row's date.
        late: (D,) bool, dates of the test block.
    """
    labels = late[row]
    piece = np.empty(len(late), dtype=np.int64)
    for side in (late, ~late):  # both sides have all runs
        piece[side] = np.arange(side.sum()) * PIECES // side.sum()
    odd = piece[row] % 2 == 1
    areas = []
    for held_out in (odd, ~odd):
        x, y = columns[~held_out], labels[~held_out] - labels[~held_out].mean()
        penalty = RIDGE * len(x) * np.eye(x.shape[1])
        weights = np.linalg.solve(x.T @ x + penalty, x.T @ y)
        areas.append(auc(columns[held_out] @ weights, labels[held_out]))
    return float(np.mean(areas))


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve: P(a row with label True scores above another), ties by half."""
    ranks = pd.Series(scores).rank().to_numpy()
    hits = labels.sum()
    return float((ranks[labels].sum() - hits * (hits + 1) / 2) / (hits * (~labels).sum()))
