"""Dated values: tables of a stage, as plain arrays in the order of date and symbol."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from tasks.diagnose.measure import moved, numbers, spread, tolerance_of
from tasks.diagnose.perturb import KEYS


@dataclass(frozen=True, eq=False)
class Table:
    """A dated value, its rows sorted by date and symbol.

    Attributes:
        dates: (n,) datetime64.
        symbols: (n,) names.
        keys: (n,) uint64 hash of each symbol.
        columns: C names.
        values: (n, C) float64, NaN where missing.
        tolerance: (C,) rounding of each column, in its sd.
        ends: (n,) datetime64, when each row becomes known, by the first column of dates; or None.
    """

    dates: np.ndarray
    symbols: np.ndarray
    keys: np.ndarray
    columns: tuple[str, ...]
    values: np.ndarray
    tolerance: np.ndarray
    ends: np.ndarray | None

    @cached_property
    def scale(self) -> np.ndarray:
        """(C,) standard deviation of each column."""
        return np.array([spread(self.values[:, k]) for k in range(len(self.columns))])

    def up_to(self, cut: np.datetime64) -> "Table":
        """Rows dated up to ``cut``."""
        return self.at(slice(0, int(np.searchsorted(self.dates, cut, "right"))))

    def known(self, cut: np.datetime64) -> "Table":
        """Rows that say that they are known at ``cut``; none where they do not say."""
        ends = np.full(len(self.dates), np.datetime64("NaT")) if self.ends is None else self.ends
        return self.at(np.flatnonzero(ends <= cut))

    def at(self, rows: slice | np.ndarray) -> "Table":
        """Some rows."""
        ends = None if self.ends is None else self.ends[rows]
        own = self.dates[rows], self.symbols[rows], self.keys[rows]
        return Table(*own, self.columns, self.values[rows], self.tolerance, ends)

    def same_rows(self, other: "Table") -> bool:
        """Whether both hold the same dates and symbols."""
        return np.array_equal(self.dates, other.dates) and np.array_equal(self.keys, other.keys)

    def column(self, name: str) -> pd.Series:
        """A column, indexed (date, symbol)."""
        index = pd.MultiIndex.from_arrays([self.dates, self.symbols], names=list(KEYS))
        return pd.Series(self.values[:, self.columns.index(name)], index=index, name=name)

    def frame(self) -> pd.DataFrame:
        """All columns, indexed (date, symbol)."""
        index = pd.MultiIndex.from_arrays([self.dates, self.symbols], names=list(KEYS))
        return pd.DataFrame(self.values, index=index, columns=list(self.columns))


def aligned(before: Table, after: Table) -> tuple[Table, Table]:
    """Both on the rows of either, missing where one has none; columns by name of ``before``."""
    if not before.same_rows(after):
        one, other = before.frame(), after.frame()
        index = one.index.union(other.index)
        tables = [table_of(frame.reindex(index), before) for frame in (one, other)]
        return tables[0], tables[1]
    return before, after


def table_of(frame: pd.DataFrame, like: Table) -> Table:
    """A table of ``frame``, indexed (date, symbol), with the columns and rounding of ``like``."""
    values = frame.reindex(columns=list(like.columns)).to_numpy(dtype=np.float64)
    dates = frame.index.get_level_values(0).to_numpy()
    symbols = frame.index.get_level_values(1).to_numpy(dtype=object)
    return Table(dates, symbols, hashes(symbols), like.columns, values, like.tolerance, None)


def difference(before: Table, after: Table, scale: np.ndarray) -> np.ndarray:
    """(n, C) moves in ``scale`` (C,) of aligned tables; infinite where one value is missing."""
    if before.columns == after.columns:
        return moved(before.values, after.values) / scale
    places = {name: k for k, name in enumerate(after.columns)}
    missing = np.full(len(after.values), np.nan)
    columns = [after.values[:, places[n]] if n in places else missing for n in before.columns]
    return moved(before.values, np.column_stack(columns)) / scale


def hashes(symbols: np.ndarray) -> np.ndarray:
    """(n,) uint64 of (n,) names."""
    return pd.util.hash_array(symbols.astype(object))


def dated(value: object, data: pd.DataFrame) -> Table | None:
    """``value`` as a table, if it is one by date and symbol; else None.

    Args:
        value: A table indexed (date, symbol), or with these columns, or on the rows of ``data``.
        data: Long rows that the value was made from.

    Raises:
        ValueError: A date and symbol stands in it twice.
    """
    if not isinstance(value, pd.DataFrame | pd.Series):
        return None
    frame = value.to_frame() if isinstance(value, pd.Series) else value
    keys = keys_of(frame, data)
    if keys is None:
        return None
    dates, symbols = keys
    names = hashes(symbols)
    order = np.lexsort((names, dates))
    repeated = (np.diff(names[order]) == 0) & (np.diff(dates[order]).astype(np.int64) == 0)
    if repeated.any():
        raise ValueError(
            f"a traced table must hold each date and symbol once; {int(repeated.sum())} stand twice"
        )
    columns = [c for c in frame if c not in KEYS]
    when = [c for c in columns if pd.api.types.is_datetime64_any_dtype(frame[c])]
    plain = [c for c in columns if c not in when]
    arrays = [numbers(frame[c]) for c in plain]
    values = np.column_stack(arrays) if arrays else np.empty((len(frame), 0))
    return Table(
        dates[order],
        symbols[order],
        names[order],
        tuple(map(str, plain)),
        values[order],
        np.array([tolerance_of(frame[c].dropna()) for c in plain]),
        frame[when[0]].to_numpy()[order] if when else None,
    )


def keys_of(frame: pd.DataFrame, data: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """Dates and symbols of the rows, or None where they cannot be told."""
    if frame.index.nlevels == 2:
        dates = frame.index.get_level_values(0)
        if pd.api.types.is_datetime64_any_dtype(dates):
            return dates.to_numpy(), frame.index.get_level_values(1).to_numpy(dtype=object)
        return None
    if set(KEYS) <= set(frame.columns):
        return frame["date"].to_numpy(), frame["symbol"].to_numpy(dtype=object)
    if not frame.index.equals(data.index):
        return None
    return data["date"].to_numpy(), data["symbol"].to_numpy(dtype=object)
