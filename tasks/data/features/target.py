"""The target: what is to be forecast at the close of day d, and when it becomes known."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.data.features.grid import Grid


def forward_return(price: np.ndarray, horizon: int) -> np.ndarray:
    """(D, S) closes -> (D, S) simple return from close d + 1 to close d + 1 + ``horizon``.

    A forecast made at the close of d can be traded at the next close, not at that same close.
    NaN where either price is missing: a stock that is delisted before the end has no label.
    """
    out = np.full(price.shape, np.nan)
    n = len(price) - 1 - horizon
    if n > 0:
        out[:n] = price[1 + horizon :] / price[1 : 1 + n] - 1
    return out


def label_ends(dates: np.ndarray, horizon: int) -> np.ndarray:
    """(D,) datetime64[D]: date d + 1 + ``horizon``; NaT where it lies beyond the data."""
    out = np.full(dates.shape, np.datetime64("NaT"), dates.dtype)
    out[: max(len(dates) - 1 - horizon, 0)] = dates[1 + horizon :]
    return out


def given_label_ends(label_end: pd.Series, grid: Grid) -> np.ndarray:
    """(D,) datetime64[D]: the latest of each date's long rows; NaT where one lies beyond the data.

    The panel keeps one date a row: a label is taken as known when the last of its date is.
    """
    latest = label_end.groupby(grid.row).max().reindex(range(len(grid.dates)))
    out = latest.to_numpy().astype("datetime64[D]")
    out[out > grid.dates[-1]] = np.datetime64("NaT")
    return out


def as_is(values: np.ndarray) -> np.ndarray:
    """(D, S) -> the same."""
    return values


def market_relative(values: np.ndarray) -> np.ndarray:
    """(D, S) -> minus the mean of the date."""
    return values - row_mean(values)


def cs_zscore(values: np.ndarray) -> np.ndarray:
    """(D, S) -> minus the date's mean, by its standard deviation; NaN where all are equal."""
    centred = market_relative(values)
    spread = np.sqrt(row_mean(centred**2))
    some = spread > 1e-12 * np.abs(row_mean(values))
    return np.divide(centred, spread, out=np.full(values.shape, np.nan), where=some)


def cs_rank(values: np.ndarray) -> np.ndarray:
    """(D, S) -> rank of the date from -0.5 to 0.5, ties at their middle; NaN for a lone value."""
    ranks = pd.DataFrame(values).rank(axis=1).to_numpy()
    number = (~np.isnan(values)).sum(axis=1, keepdims=True)
    lone = np.full(values.shape, np.nan)
    return np.divide(ranks - 1, number - 1, out=lone, where=number > 1) - 0.5


KINDS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType({
    "return": as_is, "market_relative": market_relative, "cs_zscore": cs_zscore,
    "cs_rank": cs_rank,
})  # fmt: skip
"""Values of target.kind; each works on members with a label only, NaN stays NaN."""


def row_mean(values: np.ndarray) -> np.ndarray:
    """(D, S) -> (D, 1) mean of what is not NaN; NaN where nothing is."""
    number = (~np.isnan(values)).sum(axis=1, keepdims=True)
    total = np.nansum(values, axis=1, keepdims=True)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
