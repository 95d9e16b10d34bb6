"""Agreement of the feature rankings of several seeds and of several folds."""

import numpy as np
import pandas as pd

from foldproof.tasks.attribute.trust.catalogue import Check, check
from foldproof.tasks.attribute.trust.random_rankings import random_agreement
from foldproof.tasks.statistics.agreement import mean_pairwise_tau

LEAST_RUNS = 3
"""Runs needed so that leaving one out leaves a pair."""


def agreement(importances: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Mean pairwise Kendall's tau-b within groups, and its 95 % interval from a jackknife.

    Pairs share runs, so the interval comes from leaving out one run at a time, in every group
    simultaneously (Arvesen 1969, for U-statistics), with Student's t.

    Args:
        importances: (G, R, F) groups, runs that are compared within a group, features.

    Returns:
        The mean, and the ends of its interval; NaN with fewer than three runs.

    Raises:
        ValueError: Fewer than two runs or features.
    """
    if importances.ndim != 3 or importances.shape[1] < 2 or importances.shape[2] < 2:
        raise ValueError(
            "agreement needs importances (groups, runs, features) of at least two runs and two "
            f"features; their shape is {importances.shape}"
        )
    mean, runs = float(mean_pairwise_tau(importances).mean()), importances.shape[1]
    if runs < LEAST_RUNS:
        return mean, (np.nan, np.nan)
    from scipy.special import stdtrit  # here: slow to import, and configurations load first

    left = np.array(
        [mean_pairwise_tau(np.delete(importances, run, axis=1)).mean() for run in range(runs)]
    )
    error = np.sqrt((runs - 1) / runs * ((left - left.mean()) ** 2).sum())
    reach = float(stdtrit(runs - 1, 0.975)) * float(error)
    return mean, (max(mean - reach, -1.0), min(mean + reach, 1.0))


def stability(name: str, importances: np.ndarray) -> Check:
    """Whether the rankings of a group's runs agree more than random rankings would.

    Args:
        name: seed_stability or fold_stability.
        importances: (G, R, F); runs are seeds, groups folds, or the other way round.

    Raises:
        ValueError: As :func:`agreement`.
    """
    tau, interval = agreement(importances)
    groups, runs, features = importances.shape
    mark = random_agreement(features, runs, groups)
    detail = (
        f"mean tau {tau:.2f} of {runs} rankings of {features} features in {groups} groups; random "
        f"rankings stay below {mark:.2f} in 95 of 100 cases"
    )
    if mark >= 1:
        return check(name, tau, mark, None, f"too few features and rankings: {detail}", interval)
    return check(name, tau, mark, tau > mark, detail, interval)


def stabilities(importance: pd.DataFrame) -> tuple[Check, ...]:
    """Seed and fold stability of one variant by one method.

    Args:
        importance: variant, fold, seed, method, feature, importance: the table of this name of
            :class:`~foldproof.tasks.attribute.Attribution`, of the variant's units by the method.

    Returns:
        seed_stability with at least two seeds, fold_stability with at least two folds.

    Raises:
        ValueError: The variant lacks a seed on some fold, so that folds and seeds are confounded.
    """
    wide = importance.pivot(index=["fold", "seed"], columns="feature", values="importance")
    folds, seeds = (wide.index.unique(level) for level in ("fold", "seed"))
    if len(wide) != len(folds) * len(seeds):
        raise ValueError(
            f"variant {importance['variant'].iloc[0]}: {len(wide)} units on {len(folds)} folds "
            f"with {len(seeds)} seeds; stability compares the same seeds on every fold: leave out "
            "the incomplete fold or seed"
        )
    by_fold = wide.sort_index().to_numpy().reshape(len(folds), len(seeds), -1)
    sides = {"seed_stability": by_fold, "fold_stability": by_fold.swapaxes(0, 1)}
    return tuple(stability(name, side) for name, side in sides.items() if side.shape[1] > 1)
