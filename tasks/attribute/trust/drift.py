"""Whether the importance of the features moved between folds by more than chance."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.statistics.agreement import rank_agreement

LEVEL = 0.05
"""Chance that a variant without drift has any pair of folds beyond the mark."""
DRAWS = 1999
"""Resamplings of periods and seeds."""
LEAST_PERIODS = 6
"""Least number of whole windows in a test block for a bootstrap."""


@dataclass(frozen=True)
class Drift:
    """The change of the importance between two folds.

    Attributes:
        moved: Share of the importance that went to other features or to the other direction, in
            [0, 1]: half the sum of the absolute changes of all shares.
        mark: Quantile 1 - level of the changes of resampled periods; NaN with too few periods.
        p: Chance that resampled periods change as much or more; NaN with too few periods.
        tau: Kendall's tau-b of the two rankings of features, directions taken together.
    """

    moved: float
    mark: float
    p: float
    tau: float


def drift(before: np.ndarray, after: np.ndarray, level: float) -> Drift:
    """Share of importance that moved, compared with a bootstrap of each fold around itself.

    Whole periods of a fold are drawn with replacement, since samples of neighbouring dates share
    rows (Carlstein 1986), and so are its seeds, whose networks share the periods. The deviations of
    the resampled shares from the fold's own shares give the distribution of changes without drift.

    .. warning::

        With one seed the null contains the noise of the dates but not that of the training: another
        draw of initial weights would change the importance too. ``AttributionSpec.drift_alert``
        sets a least share for that reason. Features that deviate from their mean for longer than a
        period make the null too narrow.

    Args:
        before: (R, P, 2, F) sums over samples by seed, period and direction (up, down).
        after: (R', P', 2, F) of the later fold.
        level: Chance of a share beyond the mark without drift.

    Raises:
        ValueError: A fold has no importance at all.
    """
    shares = [shares_of(fold.sum((0, 1))) for fold in (before, after)]
    moved = distance(shares[1] - shares[0])
    by_feature = [share.sum(0) for share in shares]
    tau = float(np.nan_to_num(rank_agreement(*by_feature))) if before.shape[3] > 1 else np.nan
    if min(before.shape[1], after.shape[1]) < LEAST_PERIODS:
        return Drift(float(moved), np.nan, np.nan, tau)
    generator = np.random.default_rng(0)
    deviations = [
        resampled(fold, generator) - share
        for fold, share in zip((before, after), shares, strict=True)
    ]
    null = distance(deviations[1] - deviations[0])
    p = (1 + np.sum(null >= moved)) / (1 + DRAWS)
    return Drift(float(moved), float(np.quantile(null, 1 - level)), float(p), tau)


def resampled(fold: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(DRAWS, 2, F) shares of resampled periods and seeds of a fold (R, P, 2, F).

    R seeds drawn from R vary by (R - 1) / R of the variance of new seeds, so deviations from the
    fold's shares are divided by the square root of that ratio.
    """
    seeds, periods = fold.shape[:2]
    counts = [
        generator.multinomial(size, np.full(size, 1 / size), DRAWS) for size in (seeds, periods)
    ]
    drawn = shares_of(np.einsum("dr,dp,rpuf->duf", *counts, fold))
    if seeds == 1:
        return drawn
    share = shares_of(fold.sum((0, 1)))
    return share + (drawn - share) * np.sqrt(seeds / (seeds - 1))


def shares_of(sums: np.ndarray) -> np.ndarray:
    """(..., 2, F) sums as shares of their total."""
    total = sums.sum((-1, -2), keepdims=True)
    if not (total > 0).all():
        raise ValueError("a fold without any importance has no shares: its forecasts are constant")
    return sums / total


def distance(changes: np.ndarray) -> np.ndarray:
    """(...) share that moved, from changes (..., 2, F) of all shares."""
    return np.abs(changes).sum((-1, -2)) / 2


def drifts(periods: pd.DataFrame, alert: float) -> pd.DataFrame:
    """Drift between consecutive folds of a variant.

    Args:
        periods: The table of this name of :class:`~foldproof.tasks.attribute.Attribution`, of all
            units of one variant.
        alert: Least share for an alert; the share must also exceed the mark.

    Returns:
        variant, before, fold, moved, mark, p, tau, alert (None where it is undecided), detail; a
        row for each pair of consecutive folds.

    Raises:
        ValueError: As :func:`drift`.
    """
    folds = {int(str(number)): sums_of(rows) for number, rows in periods.groupby("fold")}
    pairs = list(pairwise(sorted(folds)))
    rows = []
    for before, after in pairs:
        found = drift(folds[before], folds[after], LEVEL / len(pairs))
        moved = None if np.isnan(found.mark) else bool(found.moved > max(found.mark, alert))
        detail = drift_detail(found, len(folds[after]))
        figures = (found.moved, found.mark, found.p, found.tau)
        rows.append((periods["variant"].iloc[0], before, after, *figures, moved, detail))
    return pd.DataFrame(rows, columns=list(COLUMNS["drift"]))


def sums_of(rows: pd.DataFrame) -> np.ndarray:
    """(R, P, 2, F) sums over samples, for the periods that every seed has."""
    weighted = rows.assign(up=rows["up"] * rows["samples"], down=rows["down"] * rows["samples"])
    wide = weighted.pivot(index=["seed", "period"], columns="feature", values=["up", "down"])
    seeds = wide.index.get_level_values("seed").nunique()
    counts = wide.groupby(level="period").size()
    shared = wide[wide.index.get_level_values("period").isin(counts.index[counts == seeds])]
    return shared.sort_index().to_numpy(dtype=np.float64).reshape(seeds, -1, 2, wide.shape[1] // 2)


def drift_detail(found: Drift, seeds: int) -> str:
    """One sentence, without a full stop."""
    start = f"{found.moved:.0%} of the importance moved"
    if np.isnan(found.mark):
        return f"{start}; no null: a test block has fewer than {LEAST_PERIODS} whole windows"
    noise = "dates alone" if seeds == 1 else f"dates and {seeds} seeds"
    return f"{start}; resampled {noise} move up to {found.mark:.0%} (p {found.p:.2g})"
