"""Rank IC: the Spearman correlation of forecasts and targets across the symbols of a date."""

import numpy as np
import pandas as pd

from foldproof.models.losses import LEAST_NAMES


def ranks(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest rank among ties, from 1, within each row; NaN stays NaN."""
    table = pd.DataFrame(values)
    return table.rank(axis=1, method="min").to_numpy(), table.rank(axis=1, method="max").to_numpy()


def centred_ranks(values: np.ndarray) -> np.ndarray:
    """(D, S) ranks within each row less their mean, ties by their mean rank; 0 where missing."""
    found = pd.DataFrame(values).rank(axis=1).to_numpy()
    number = np.isfinite(found).sum(axis=1, keepdims=True)
    return np.nan_to_num(found - (number + 1) / 2)


def correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(D,) Pearson correlation of the rows of x and y, NaN at the same cells; 0 if constant."""
    varies = (np.nanmax(x, axis=1) > np.nanmin(x, axis=1)) & (
        np.nanmax(y, axis=1) > np.nanmin(y, axis=1)
    )
    x = x - np.nanmean(x, axis=1, keepdims=True)
    y = y - np.nanmean(y, axis=1, keepdims=True)
    covariance = np.nansum(x * y, axis=1)
    scale = np.sqrt(np.nansum(x * x, axis=1)) * np.sqrt(np.nansum(y * y, axis=1))
    return np.where(varies, covariance / np.where(scale > 0, scale, 1.0), 0.0)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(D,) Spearman correlation of the rows of x and y (D, S) on the cells that both have.

    Ties get their mean rank. NaN in rows with fewer than three such cells, 0 in rows where x or y
    is constant.
    """
    both = np.isfinite(x) & np.isfinite(y)
    daily = np.full(len(x), np.nan)
    usable = both.sum(axis=1) >= LEAST_NAMES
    if usable.any():
        pair = (pd.DataFrame(np.where(both, values, np.nan)[usable]) for values in (x, y))
        daily[usable] = correlation(*(values.rank(axis=1).to_numpy() for values in pair))
    return daily


def daily_rank_ic(scores: pd.Series, target: pd.Series) -> pd.Series:
    """Rank IC of each date from two series.

    Args:
        scores: Indexed (date, symbol).
        target: Indexed (date, symbol).

    Returns:
        (D,) by date, ascending: the dates on which at least three symbols have both values. 0 on a
        date whose scores or targets are all equal, because they rank nothing.
    """
    both = pd.concat([scores, target], axis=1, keys=["scores", "target"], join="inner").dropna()
    if both.empty:
        return pd.Series(dtype=np.float64)
    wide = both.unstack(level=1).sort_index()
    daily = rank_correlation(wide["scores"].to_numpy(), wide["target"].to_numpy())
    return pd.Series(daily, index=wide.index).dropna()


def rank_ics(forecasts: np.ndarray, target: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Rank IC of each date for N sets of forecasts of the same samples.

    Args:
        forecasts: (N, B).
        target: (B,), NaN where it is unknown; such samples are left out.
        dates: (B,) the date of each sample, in any order.

    Returns:
        (N, D), the dates ascending. 0 where the forecasts or targets of a date are constant, NaN
        on a date with fewer than three targets.
    """
    distinct, row = np.unique(dates, return_inverse=True)
    known = np.isfinite(target)
    column = pd.Series(row).groupby(row).cumcount().to_numpy()
    shape = (len(forecasts), len(distinct), int(column.max()) + 1)
    wide, goal = np.full(shape, np.nan), np.full(shape, np.nan)
    wide[:, row[known], column[known]] = forecasts[:, known]
    goal[:, row[known], column[known]] = target[known]
    rows = (values.reshape(-1, shape[2]) for values in (wide, goal))
    return rank_correlation(*rows).reshape(shape[:2])
