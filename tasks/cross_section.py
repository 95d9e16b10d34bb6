"""Ranks and correlations across the symbols of each date."""

import numpy as np
import pandas as pd


def ranks(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest rank among ties, from 1, within each row; NaN stays NaN."""
    table = pd.DataFrame(values)
    return table.rank(axis=1, method="min").to_numpy(), table.rank(axis=1, method="max").to_numpy()


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
