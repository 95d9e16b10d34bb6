"""From long rows to dense arrays of dates x symbols, without a loop over symbols."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Grid:
    """The position of each long row in the dense arrays.

    Attributes:
        dates: (D,) datetime64[D], strictly increasing.
        symbols: (S,) str, sorted.
        row: (N,) position of each long row's date.
        column: (N,) position of each long row's symbol.
    """

    dates: np.ndarray
    symbols: np.ndarray
    row: np.ndarray
    column: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(D, S)."""
        return len(self.dates), len(self.symbols)

    def dense(self, values: pd.Series) -> np.ndarray:
        """(N,) long numbers -> (D, S) float64; NaN where there is no row."""
        out = np.full(self.shape, np.nan)
        out[self.row, self.column] = values.to_numpy(np.float64, na_value=np.nan)
        return out

    def since(self, first: int) -> "Grid":
        """The dates from position ``first`` on, and all symbols, for long rows in order of date."""
        at = int(np.searchsorted(self.row, first))
        return Grid(self.dates[first:], self.symbols, self.row[at:] - first, self.column[at:])

    def long(self, values: np.ndarray) -> np.ndarray:
        """(D, S) -> (N,) in the order of the long rows."""
        return values[self.row, self.column]


def grid_of(frame: pd.DataFrame) -> Grid:
    """The grid of all dates and symbols of ``frame`` (columns date and symbol)."""
    row, dates = pd.factorize(frame["date"], sort=True)
    column, symbols = pd.factorize(frame["symbol"], sort=True)
    return Grid(
        np.asarray(dates).astype("datetime64[D]"), np.asarray(symbols).astype(str), row, column
    )


def observed(frame: pd.DataFrame, grid: Grid) -> np.ndarray:
    """(D, S) bool: there is a row, and it has a price if the table has prices."""
    out = np.zeros(grid.shape, bool)
    out[grid.row, grid.column] = frame["price"].notna().to_numpy() if "price" in frame else True
    return out


def members(frame: pd.DataFrame, grid: Grid) -> np.ndarray:
    """(D, S) bool: observed on that day and in the universe, if the table has a column for it."""
    out = observed(frame, grid)
    if "member" in frame:
        out[grid.row, grid.column] &= frame["member"].to_numpy(bool)
    return out


def carried(values: np.ndarray, limit: int) -> np.ndarray:
    """Fill NaN with the symbol's last value of at most ``limit`` dates ago.

    A value is carried whether or not the symbol is quoted again: a check would read the future.

    Args:
        values: (D, S).
        limit: Dates for which a value is carried, its own not counted.
    """
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, rows), axis=0)
    out = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    out[(last < 0) | (rows - last > limit)] = np.nan
    return out
