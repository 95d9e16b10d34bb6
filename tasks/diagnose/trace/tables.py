"""Outputs of a stage with dates, as plain arrays in the order of date and symbol."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.perturb.compare import (
    in_spreads,
    largest_ordinary,
    numbers,
    spread,
    tolerance_of,
)
from foldproof.tasks.diagnose.perturb.keys import as_dates
from foldproof.tasks.diagnose.perturb.rows import KEYS


@dataclass(frozen=True, eq=False)
class Table:
    """A table by date and symbol, sorted.

    Attributes:
        dates: (n,) datetime64.
        symbols: (n,) names.
        keys: (n,) uint64 hash of each symbol.
        columns: C names.
        values: (n, C) float64, NaN where missing.
        tolerance: (C,) rounding of each column, in its sd.
        ends: (n,) datetime64, when each row becomes known, from the first column of dates; or None.
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
        """(C,) spread of each column."""
        return np.array([spread(self.values[:, k]) for k in range(len(self.columns))])

    @cached_property
    def top(self) -> np.ndarray:
        """(C,) largest ordinary value of each column."""
        return np.array([largest_ordinary(self.values[:, k]) for k in range(len(self.columns))])

    def up_to(self, cut: np.datetime64) -> "Table":
        """Rows dated up to ``cut``."""
        return self.at(slice(0, int(np.searchsorted(self.dates, cut, "right"))))

    def known(self, cut: np.datetime64) -> "Table":
        """Rows known by ``cut``; none if the table does not say when they are known."""
        ends = np.full(len(self.dates), np.datetime64("NaT")) if self.ends is None else self.ends
        return self.at(np.flatnonzero(ends <= cut))

    def at(self, rows: slice | np.ndarray) -> "Table":
        """Some rows."""
        ends = None if self.ends is None else self.ends[rows]
        cells = self.dates[rows], self.symbols[rows], self.keys[rows]
        return Table(*cells, self.columns, self.values[rows], self.tolerance, ends)

    def same_rows(self, other: "Table") -> bool:
        """Whether both have the same dates and symbols."""
        return np.array_equal(self.dates, other.dates) and np.array_equal(self.keys, other.keys)

    def column(self, name: str) -> pd.Series:
        """A column, indexed (date, symbol)."""
        return self.frame()[name]

    def frame(self) -> pd.DataFrame:
        """All columns, indexed (date, symbol)."""
        index = pd.MultiIndex.from_arrays([self.dates, self.symbols], names=list(KEYS))
        return pd.DataFrame(self.values, index=index, columns=list(self.columns))


def aligned(before: Table, after: Table) -> tuple[Table, Table]:
    """Both tables on the union of their rows and columns, NaN where one has no value."""
    if before.same_rows(after) and before.columns == after.columns:
        return before, after
    tables = (before, after)
    rounding = {
        n: t for one in (after, before) for n, t in zip(one.columns, one.tolerance, strict=True)
    }
    columns = list(dict.fromkeys(name for one in tables for name in one.columns))
    cells = [pd.DataFrame({"date": t.dates, "key": t.keys, "symbol": t.symbols}) for t in tables]
    rows = pd.concat(cells).drop_duplicates(["date", "key"]).sort_values(["date", "key"])
    dates, keys = rows["date"].to_numpy(), rows["key"].to_numpy()
    symbols = rows["symbol"].to_numpy(dtype=object)
    tolerance = np.array([rounding[name] for name in columns])

    def on_union(table: Table) -> Table:
        own = pd.DataFrame(table.values, [table.dates, table.keys], list(table.columns))
        values = own.reindex(index=pd.MultiIndex.from_arrays([dates, keys]), columns=columns)
        return Table(dates, symbols, keys, tuple(columns), values.to_numpy(), tolerance, None)

    return on_union(before), on_union(after)


def moves(before: Table, after: Table, like: Table) -> np.ndarray:
    """(n, C) moves of aligned tables; infinite if one is missing.

    They are in spreads of the same column of the whole table ``like``, or of ``before`` where it
    has none; see :func:`~foldproof.tasks.diagnose.perturb.compare.in_spreads`.
    """
    scale, top = scales_of(before, like)
    return in_spreads(before.values, after.values, scale, top)


def scales_of(table: Table, like: Table) -> tuple[np.ndarray, np.ndarray]:
    """(C,) spread and (C,) largest ordinary value of the columns of ``table``, from ``like``."""
    if table.columns == like.columns:
        return like.scale, like.top
    place = {name: k for k, name in enumerate(like.columns)}
    source = [(like, place[n]) if n in place else (table, k) for k, n in enumerate(table.columns)]
    return (
        np.array([one.scale[k] for one, k in source]),
        np.array([one.top[k] for one, k in source]),
    )


def as_table(value: object, data: pd.DataFrame, fitted: bool = False) -> Table | None:
    """``value`` as a table by date and symbol, or None if it is not one.

    Args:
        value: A table indexed (date, symbol) or by date, or with these columns, or on rows of
            ``data``.
        data: Long rows that the value was computed from.
        fitted: Whether the stage fits something. A table with fewer rows than the data, numbered
            from 0, is then a result of the fit and not the first rows of the data.

    Raises:
        ValueError: A date and symbol repeats, or the column date has no dates.
    """
    if not isinstance(value, pd.DataFrame | pd.Series):
        return None
    frame = value.to_frame() if isinstance(value, pd.Series) else value
    cells = keys_of(frame, data, fitted)
    if cells is None:
        return None
    dates, symbols = cells
    keys = pd.util.hash_array(symbols.astype(object))
    order = np.lexsort((keys, dates))
    repeated = (np.diff(keys[order]) == 0) & (np.diff(dates[order]).astype(np.int64) == 0)
    if repeated.any():
        raise ValueError(
            "a traced table must not repeat a date and symbol; there are "
            f"{int(repeated.sum())} duplicates"
        )
    columns = [frame.iloc[:, k] for k, name in enumerate(frame) if name not in KEYS]
    parsed = [as_dates(column) for column in columns]
    ends = next((found[order] for found in parsed if found is not None), None)
    plain = [column for column, found in zip(columns, parsed, strict=True) if found is None]
    arrays = [numbers(column) for column in plain]
    values = np.column_stack(arrays) if arrays else np.empty((len(frame), 0))
    names = [str(column.name) for column in plain]
    return Table(
        dates[order],
        symbols[order],
        keys[order],
        tuple(f"{n} [{k}]" if n in names[:k] else n for k, n in enumerate(names)),  # unique
        values[order],
        np.array([tolerance_of(column) for column in plain]),
        ends,
    )


def keys_of(
    frame: pd.DataFrame, data: pd.DataFrame, fitted: bool = False
) -> tuple[np.ndarray, np.ndarray] | None:
    """Dates and symbols of the rows of ``frame``, or None if it has none.

    Raises:
        ValueError: The column date has no dates.
    """
    if frame.index.nlevels > 1:
        return keys_of_index(frame.index)
    if set(KEYS) <= set(frame.columns):
        dates = as_dates(frame["date"])
        if dates is None or np.isnat(dates).any():
            raise ValueError(
                f"the column date of a traced table must hold dates; it is {frame['date'].dtype}"
            )
        return dates, frame["symbol"].to_numpy(dtype=object)
    renumbered = fitted and isinstance(frame.index, pd.RangeIndex) and len(frame) < len(data)
    rows = None if renumbered else rows_of(frame.index, data.index)
    if rows is not None:
        dates = data["date"].to_numpy().astype("datetime64[us]")
        return dates[rows], data["symbol"].to_numpy(dtype=object)[rows]
    dates = as_dates(frame.index)
    return None if dates is None else (dates, np.full(len(dates), "", dtype=object))


def keys_of_index(index: pd.Index) -> tuple[np.ndarray, np.ndarray] | None:
    """Dates and symbols of an index with these two levels, in either order; else None."""
    for level in (0, 1) if index.nlevels == 2 else ():
        dates = as_dates(index.get_level_values(level))
        if dates is not None:
            return dates, index.get_level_values(1 - level).to_numpy(dtype=object)
    return None


def rows_of(index: pd.Index, rows: pd.Index) -> np.ndarray | None:
    """(n,) places of ``index`` in ``rows`` of the data, or None unless all are there."""
    if not len(index) or index.nlevels != rows.nlevels:
        return None
    places = rows.get_indexer(index)
    return places if (places >= 0).all() else None
