"""Rank autocorrelation: how much of a date's order of stocks is left some days later."""

import numpy as np

from foldproof.tasks.decompose.ranked import Ranked
from foldproof.tasks.statistics.rank_ic import rank_correlation


def rank_autocorrelation(ranked: Ranked, rows: np.ndarray, lag: int) -> np.ndarray:
    """(N,) mean Spearman correlation of forecasts with those of the same stocks ``lag`` rows later.

    Args:
        ranked: Forecasts of N rows on D dates.
        rows: (D,) rows of the panel's calendar, increasing.
        lag: Trading days.

    Returns:
        NaN where no two dates are that far apart. A constant forecast counts 0.
    """
    later = np.searchsorted(rows, rows + lag)
    first = np.flatnonzero(later < len(rows))
    first = first[rows[later[first]] == rows[first] + lag]
    second = later[first]
    if not len(first):
        return np.full(len(ranked.names), np.nan)
    product = np.stack([(one[first] * one[second]).sum(axis=-1) for one in ranked.ranks])
    size = ranked.sizes[:, first] * ranked.sizes[:, second]
    daily = np.divide(product, size, out=np.zeros(size.shape), where=size > 0)
    other = (ranked.cells[first] != ranked.cells[second]).any(axis=1)
    for place in range(len(ranked.names) if other.any() else 0):
        own = ranked.row(place)
        daily[place, other] = rank_correlation(own[first[other]], own[second[other]])
    return np.nanmean(daily, axis=1)
