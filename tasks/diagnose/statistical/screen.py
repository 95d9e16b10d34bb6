"""Feature screen: is a single feature better than anyone believes a feature can be?"""

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
"""Mean daily rank IC beyond which no single feature is believed: several times the best known."""
PERMUTATIONS = 999
LEAST_BLOCK = 10
"""Dates of a block of the permutation, at least."""


class Screen(NamedTuple):
    """What the screen found.

    Attributes:
        finding: On the best feature.
        table: Row for each feature, best first: ``rank_ic`` at its best ``lag`` (days that the
            target is dated later), its ``error``, ``p`` of zero for it alone, ``dates``.
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
    r"""Test whether the best feature's rank IC is above ``ceiling``, whichever feature it is.

    .. math:: \max_{j,k} \frac{|\bar{IC}_{jk}| - \text{ceiling}}{s_{jk}}
        \quad\text{against}\quad \max_{j,k} \frac{|\bar{IC}^*_{jk}|}{s^*_{jk}}

    over features j and lags k = 0..h (on the left the lag with the feature's largest rank IC); in
    the draws marked * the targets' dates are permuted in blocks. The maximum controls the chance of
    any false alarm and keeps what features share (Westfall & Young 1993). An honest signal, however
    significant, is far below the ceiling.

    Args:
        features: Indexed (date, symbol), or long with these columns; numbers only are looked at.
        target: Indexed (date, symbol).
        horizon: Dates that a target spans.
        ceiling: Rank IC that no honest single feature reaches.
        permutations: Draws; p is at least 1 / (permutations + 1). None is needed, and p is 1,
            where no feature reaches the ceiling.
        seed: Of the permutations.
        level: Of the test.
    """
    frame = indexed(features)
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


def indexed(features: pd.DataFrame) -> pd.DataFrame:
    """Numeric features indexed (date, symbol).

    Raises:
        ValueError: Neither indexed so nor with such columns.
    """
    if features.index.nlevels == 2:
        return features.select_dtypes("number")
    if not {"date", "symbol"} <= set(features):
        raise ValueError(
            "features must be indexed (date, symbol) or have these columns; they have "
            f"{', '.join(map(str, features.columns))}"
        )
    return features.set_index(["date", "symbol"]).select_dtypes("number")


def wide_target(frame: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
    """(D, S) target on the dates and symbols of the features, dates ascending."""
    wide = target.unstack(level=1).sort_index()
    dates = frame.index.get_level_values(0).unique().sort_values()
    return wide.reindex(index=dates, columns=frame.index.get_level_values(1).unique())


def daily_by_lag(frame: pd.DataFrame, target: pd.Series, horizon: int) -> dict[str, np.ndarray]:
    """Feature -> (D, h + 1) daily rank IC with the target 0 to h dates later; NaN where none."""
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
        known = [column[np.isfinite(column)] for column in by_lag.T]
        means = [abs(column.mean()) if len(column) else -1.0 for column in known]
        lag = int(np.argmax(means))
        found = mean_test(known[lag], horizon)
        rows[name] = (found.mean, lag, found.error, found.p, len(known[lag]))
    names = ["rank_ic", "lag", "error", "p", "dates"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("feature")
    return table.sort_values("rank_ic", key=lambda column: -column.abs())


def largest_under_null(
    frame: pd.DataFrame, target: pd.Series, horizon: int, permutations: int, seed: int
) -> np.ndarray:
    """(permutations,) largest |t| over features and lags when dates of targets are permuted."""
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
    """(D, S) centred ranks of length 1 in each row; 0 where missing or nothing is ordered."""
    low, high = ranks(values)
    rank = low + high
    count = np.isfinite(rank).sum(axis=1, keepdims=True)
    centred = np.where(np.isfinite(rank), rank - (count + 1), 0.0)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return centred / np.where(length > 0, length, 1.0)


def permuted_blocks(length: int, block: int, generator: Generator) -> np.ndarray:
    """(length,) row numbers, in blocks that changed places after a random turn of the circle."""
    turned = (np.arange(length) + generator.integers(length)) % length
    parts = np.array_split(turned, max(2, length // block))
    return np.concatenate([parts[i] for i in generator.permutation(len(parts))])
