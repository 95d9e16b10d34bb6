"""The target: what is forecast at the close of day d, and the date on which it becomes known."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.data.features.grid import Grid


def forward_return(price: np.ndarray, horizon: int) -> np.ndarray:
    """(D, S) closes -> (D, S) simple return from close d + 1 to close d + 1 + ``horizon``.

    A forecast made at the close of d can be traded at the next close at the earliest.
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
    """(D,) datetime64[D]: the latest label end of each date; NaT where it lies beyond the data.

    The panel has one label end per date: its labels count as known when the last one is.
    """
    latest = label_end.groupby(grid.row).max().reindex(range(len(grid.dates)))
    out = latest.to_numpy().astype("datetime64[D]")
    out[out > grid.dates[-1]] = np.datetime64("NaT")
    return out


def market_relative(values: np.ndarray) -> np.ndarray:
    """(D, S) -> values minus the mean of their date."""
    return values - row_mean(values)


def cs_zscore(values: np.ndarray) -> np.ndarray:
    """(D, S) -> z-scores within each date; NaN where all values of a date are equal."""
    centred = market_relative(values)
    spread = np.sqrt(row_mean(centred**2))
    some = spread > 1e-12 * np.abs(row_mean(values))
    return np.divide(centred, spread, out=np.full(values.shape, np.nan), where=some)


def cs_rank(values: np.ndarray) -> np.ndarray:
    """(D, S) -> ranks within each date, -0.5 to 0.5; ties get the middle, a lone value NaN."""
    ranks = pd.DataFrame(values).rank(axis=1).to_numpy()
    number = (~np.isnan(values)).sum(axis=1, keepdims=True)
    lone = np.full(values.shape, np.nan)
    return np.divide(ranks - 1, number - 1, out=lone, where=number > 1) - 0.5


KINDS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType({
    "return": np.asarray, "market_relative": market_relative, "cs_zscore": cs_zscore,
    "cs_rank": cs_rank,
})  # fmt: skip
"""Choices of target.kind. Each uses the members that have a label; NaN stays NaN."""


def row_mean(values: np.ndarray) -> np.ndarray:
    """(D, S) -> (D, 1) mean of the values that are not NaN; NaN where there is none."""
    number = (~np.isnan(values)).sum(axis=1, keepdims=True)
    total = np.nansum(values, axis=1, keepdims=True)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
