"""Quantile portfolios: the weight of each stock by the rank of its forecast."""

import numpy as np

from foldproof.tasks.statistics.rank_ic import ranks

DECIMALS = 12
"""Of a weight: rounding must not make a position, as in a book of equal forecasts."""


def quantile_weights(forecast: np.ndarray, quantiles: int) -> np.ndarray:
    """(Q, D, S) weights of equal-weighted quantile portfolios, the lowest forecasts first.

    Every quantile holds n / Q of the n stocks of a date: a stock across a border belongs to both
    sides with the share of its place. Stocks with equal forecasts share their places, which is the
    mean over random orders; so a constant forecast makes all quantiles equal. Weights of a quantile
    sum to 1.

    Args:
        forecast: (D, S); NaN where there is none.
        quantiles: Q.
    """
    low, high = ranks(forecast)
    begin, places = low - 1, high - low + 1
    size = np.isfinite(forecast).sum(axis=1, keepdims=True) / quantiles
    weights = np.empty((quantiles, *forecast.shape))
    for number in range(quantiles):
        inside = np.minimum(high, (number + 1) * size) - np.maximum(begin, number * size)
        share = np.maximum(inside, 0) / places / np.where(size > 0, size, 1.0)
        weights[number] = np.nan_to_num(np.round(share, DECIMALS))
    return weights
