"""Rolling sums in which no bit of a row depends on a row outside its window.

A running sum that adds the newest value and subtracts the oldest one carries rounding errors from
the whole past. These sums add the window's rows in a fixed order instead, in one (D, S) array.
"""

from collections.abc import Callable

import numpy as np


def lagged(x: np.ndarray, lag: int) -> np.ndarray:
    """(D, S) -> (D, S): row d holds row d - ``lag``; NaN before the first."""
    out = np.full(x.shape, np.nan)
    out[lag:] = x[: len(x) - lag] if lag < len(x) else x[:0]
    return out


def run_length(x: np.ndarray) -> np.ndarray:
    """(D, S) -> (D, S) int: rows without a NaN up to row d, its own included; 0 where it is NaN."""
    rows = np.arange(len(x))[:, None]
    return rows - np.maximum.accumulate(np.where(np.isnan(x), rows, -1), axis=0)


def rolling(x: np.ndarray, window: int, combine: Callable[..., np.ndarray]) -> np.ndarray:
    """Combine rows d, d - 1, ..., d - ``window`` + 1 in this order.

    Args:
        x: (D, S).
        window: Rows, the current one included.
        combine: A ufunc of two arrays such as np.add; NaN must stay NaN.

    Returns:
        (D, S); NaN where the window is not full or holds a NaN.
    """
    out = x.copy()
    for lag in range(1, min(window, len(x))):
        combine(out[lag:], x[:-lag], out=out[lag:])
    out[: window - 1] = np.nan
    return out


def extreme(x: np.ndarray, window: int, pick: Callable[..., np.ndarray]) -> np.ndarray:
    """(D, S) np.maximum or np.minimum of the last ``window`` rows; NaN as in :func:`rolling`.

    An extreme may count a value twice, so each step doubles the rows covered: 8 steps for 252.
    """
    out, covered = x.copy(), 1
    while covered < window:
        step = min(covered, window - covered)
        out[step:] = pick(out[step:], out[:-step])
        covered += step
    out[: window - 1] = np.nan
    return out


def mean(x: np.ndarray, window: int) -> np.ndarray:
    """(D, S) mean over the last ``window`` rows."""
    return rolling(x, window, np.add) / window


def covariance(x: np.ndarray, y: np.ndarray, window: int) -> np.ndarray:
    """(D, S) sample covariance over the last ``window`` rows (divisor ``window`` - 1)."""
    x_mean = mean(x, window)
    y_mean = x_mean if x is y else mean(y, window)
    total, rows = np.zeros(np.broadcast_shapes(x.shape, y.shape)), len(x)
    for lag in range(min(window, rows)):
        apart = x[: rows - lag] - x_mean[lag:]
        apart *= apart if x is y else y[: rows - lag] - y_mean[lag:]
        total[lag:] += apart
    total[: window - 1] = np.nan
    return total / (window - 1)


def deviation(x: np.ndarray, window: int) -> np.ndarray:
    """(D, S) sample standard deviation over the last ``window`` rows (divisor ``window`` - 1)."""
    return np.sqrt(covariance(x, x, window))
