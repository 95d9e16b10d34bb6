"""Feature screen: is the rank IC of a single feature too good to be honest?"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.random import Generator

from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import statistical_finding, unknown_finding
from foldproof.tasks.statistics.mean_test import mean_and_error, mean_test, ratio
from foldproof.tasks.statistics.rank_ic import rank_correlation, ranks

TEST, STAGE = "feature_screen", "features"
CEILING = 0.30
"""Mean daily rank IC that no honest single feature exceeds: several times the best known."""
PERMUTATIONS = 999
LEAST_BLOCK = 10
"""Shortest block of the permutation in dates."""


class Screen(NamedTuple):
    """Result of the screen.

    Attributes:
        finding: On the best feature.
        table: One row per feature, best first: ``rank_ic`` at its best ``lag`` (days from the
            feature to the target's date), its ``error``, ``p`` of a zero rank IC, ``dates``.
    """

    finding: Finding
    table: pd.DataFrame


def feature_screen(
    features: pd.DataFrame,
    target: pd.Series,
    horizon: int,
    *,
    ceiling: float = CEILING,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    level: float = LEVEL,
) -> Screen:
    r"""Test whether the largest rank IC of a single feature is above ``ceiling``.

    .. math:: \max_{j,k} \frac{|\bar{IC}_{jk}| - \text{ceiling}}{s_{jk}}
        \quad\text{against}\quad \max_{j,k} \frac{|\bar{IC}^*_{jk}|}{s^*_{jk}}

    over features j and lags k = 0..h (on the left, the lag with the feature's largest rank IC). In
    the draws marked *, the dates of the targets are permuted in blocks. The maximum controls the
    probability of any false alarm and keeps the dependence between features (Westfall & Young
    1993). An honest signal, however significant, is far below the ceiling.

    Args:
        features: Indexed (date, symbol); only numeric columns are tested.
        target: Indexed (date, symbol).
        horizon: Dates that a target spans.
        ceiling: Rank IC that no honest single feature reaches.
        permutations: Number of draws; p is at least 1 / (permutations + 1). If no feature reaches
            the ceiling, p is 1 without a draw.
        seed: Of the permutations.
        level: Of the test.
    """
    frame = features.select_dtypes("number")
    daily = daily_by_lag(frame, target, horizon)
    table = table_of(daily, horizon)
    tested = f"{len(frame.columns)} features, targets dated 0 to {horizon} days later"
    usable = table[table["error"].notna()]
    if usable.empty:
        reason = f"no feature has enough dates for labels over {horizon} days"
        return Screen(unknown_finding(TEST, STAGE, reason, tested), table)
    best = usable.iloc[0]
    statistic = ((usable["rank_ic"].abs() - ceiling) / usable["error"]).max()
    p = 1.0
    if statistic > 0:
        null = largest_under_null(frame, target, horizon, permutations, seed)
        p = (1 + int((null >= statistic).sum())) / (1 + permutations)
    detail = (
        f"{best.name}: rank IC {best['rank_ic']:+.3f} ± {best['error']:.3f} with the target "
        f"{best['lag']:.0f} days later; the ceiling is {ceiling:g}"
    )
    value = float(abs(best["rank_ic"]))
    return Screen(statistical_finding(TEST, STAGE, value, p, level, tested, detail), table)


def wide_target(frame: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
    """(D, S) target on the dates and symbols of the features, dates ascending."""
    wide = target.unstack(level=1).sort_index()
    dates = frame.index.get_level_values(0).unique().sort_values()
    return wide.reindex(index=dates, columns=frame.index.get_level_values(1).unique())


def daily_by_lag(frame: pd.DataFrame, target: pd.Series, horizon: int) -> dict[str, np.ndarray]:
    """Feature -> (D, h + 1) daily rank IC with the target 0 to h dates later, NaN if undefined."""
    goal = wide_target(frame, target)
    later = [goal.shift(-lag).to_numpy() for lag in range(horizon + 1)]
    out = {}
    for name in frame:
        values = frame[name].unstack(level=1).reindex_like(goal).to_numpy(dtype=np.float64)
        out[str(name)] = np.stack([rank_correlation(values, y) for y in later], axis=1)
    return out


def table_of(daily: dict[str, np.ndarray], horizon: int) -> pd.DataFrame:
    """The table of :class:`Screen`: each feature at the lag where its rank IC is largest."""
    rows = {}
    for name, by_lag in daily.items():
        series = [column[np.isfinite(column)] for column in by_lag.T]
        means = [abs(column.mean()) if len(column) else -1.0 for column in series]
        lag = int(np.argmax(means))
        found = mean_test(series[lag], horizon)
        rows[name] = (found.mean, lag, found.error, found.p, len(series[lag]))
    names = ["rank_ic", "lag", "error", "p", "dates"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("feature")
    return table.sort_values("rank_ic", key=lambda column: -column.abs())


def largest_under_null(
    frame: pd.DataFrame, target: pd.Series, horizon: int, permutations: int, seed: int
) -> np.ndarray:
    """(permutations,) largest |t| over features and lags with the targets' dates permuted."""
    goal = wide_target(frame, target)
    columns = [frame[name].unstack(level=1).reindex_like(goal) for name in frame]
    x = np.stack([unit_ranks(column.to_numpy(dtype=np.float64)) for column in columns], axis=2)
    y = np.stack([unit_ranks(goal.shift(-k).to_numpy()) for k in range(horizon + 1)], axis=2)
    generator = np.random.default_rng(seed)
    x = x.transpose(0, 2, 1)  # (D, J, S), and y is (D, S, h + 1)
    out = np.empty(permutations)
    for draw in range(permutations):
        order = permuted_blocks(len(x), max(LEAST_BLOCK, 2 * horizon), generator)
        daily = (x @ y[order]).reshape(len(x), -1)
        out[draw] = np.abs(ratio(*mean_and_error(daily, horizon))).max()
    return out


def unit_ranks(values: np.ndarray) -> np.ndarray:
    """(D, S) centred ranks of unit length in each row; 0 where missing or all are tied."""
    low, high = ranks(values)
    rank = low + high
    count = np.isfinite(rank).sum(axis=1, keepdims=True)
    centred = np.where(np.isfinite(rank), rank - (count + 1), 0.0)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return centred / np.where(length > 0, length, 1.0)


def permuted_blocks(length: int, block: int, generator: Generator) -> np.ndarray:
    """(length,) row numbers in permuted blocks, after a random circular shift."""
    shifted = (np.arange(length) + generator.integers(length)) % length
    parts = np.array_split(shifted, max(2, length // block))
    return np.concatenate([parts[i] for i in generator.permutation(len(parts))])
