"""Dated values: tables of a stage, as plain arrays in the order of date and symbol."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.perturb.compare import moved, numbers, spread, tolerance_of
from foldproof.tasks.diagnose.perturb.rows import KEYS

ISO_DATE = r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}.*)?"
"""What a text must look like to be taken for a date."""


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
    """Both on the rows and columns of either, missing where one has none."""
    if before.same_rows(after) and before.columns == after.columns:
        return before, after
    tables = (before, after)
    rounding = {
        n: t for one in (after, before) for n, t in zip(one.columns, one.tolerance, strict=True)
    }
    columns = tuple(dict.fromkeys(name for one in tables for name in one.columns))
    rows = pd.concat([pd.DataFrame({"date": t.dates, "key": t.keys}) for t in tables])
    symbols = np.concatenate([t.symbols for t in tables])
    kept = ~rows.duplicated().to_numpy()
    keys, symbols = rows[kept], symbols[kept]
    order = np.lexsort((keys["key"], keys["date"]))
    own = keys["date"].to_numpy()[order], symbols[order], keys["key"].to_numpy()[order]
    index = pd.MultiIndex.from_arrays([own[0], own[2]])
    tolerance = np.array([rounding[name] for name in columns])
    laid = [on_cells(one, index, columns) for one in tables]
    return tuple(Table(*own, columns, values, tolerance, None) for values in laid)  # type: ignore[return-value]  # two


def on_cells(table: Table, index: pd.MultiIndex, columns: tuple[str, ...]) -> np.ndarray:
    """Values of a table on other rows (date, key) and columns, NaN where it has none."""
    own = pd.MultiIndex.from_arrays([table.dates, table.keys])
    frame = pd.DataFrame(table.values, index=own, columns=list(table.columns))
    return frame.reindex(index=index, columns=list(columns)).to_numpy()


def difference(before: Table, after: Table, scale: np.ndarray) -> np.ndarray:
    """(n, C) moves in ``scale`` (C,) of aligned tables; infinite where one value is missing."""
    return moved(before.values, after.values) / scale


def hashes(symbols: np.ndarray) -> np.ndarray:
    """(n,) uint64 of (n,) names."""
    return pd.util.hash_array(symbols.astype(object))


def dated(value: object, data: pd.DataFrame, fitted: bool = False) -> Table | None:
    """``value`` as a table, if it is one by date and symbol; else None.

    Args:
        value: A table indexed (date, symbol) or by date, or with these columns, or on rows of
            ``data``.
        data: Long rows that the value was made from.
        fitted: Whether it comes from a stage that makes no rows: then a table numbered from 0 on,
            with fewer rows than the data, is not taken for the first of them.

    Raises:
        ValueError: A date and symbol stands in it twice, or its column date holds none.
    """
    if not isinstance(value, pd.DataFrame | pd.Series):
        return None
    frame = value.to_frame() if isinstance(value, pd.Series) else value
    keys = keys_of(frame, data, fitted)
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
    columns = [frame.iloc[:, k] for k, name in enumerate(frame) if name not in KEYS]
    stamps = [days(one) for one in columns]
    when = [found for found in stamps if found is not None]
    plain = [one for one, found in zip(columns, stamps, strict=True) if found is None]
    arrays = [numbers(one) for one in plain]
    values = np.column_stack(arrays) if arrays else np.empty((len(frame), 0))
    return Table(
        dates[order],
        symbols[order],
        names[order],
        told_apart([str(one.name) for one in plain]),
        values[order],
        np.array([tolerance_of(one) for one in plain]),
        when[0][order] if when else None,
    )


def told_apart(names: list[str]) -> tuple[str, ...]:
    """``names``; one that stands again gets its place."""
    return tuple(f"{n} [{k}]" if n in names[:k] else n for k, n in enumerate(names))


def keys_of(
    frame: pd.DataFrame, data: pd.DataFrame, fitted: bool = False
) -> tuple[np.ndarray, np.ndarray] | None:
    """Dates and symbols of the rows, or None where they cannot be told.

    Raises:
        ValueError: There are columns date and symbol, and the dates are none.
    """
    if frame.index.nlevels > 1:
        return keys_of_index(frame.index)
    if set(KEYS) <= set(frame.columns):
        dates = days(frame["date"])
        if dates is None or np.isnat(dates).any():
            raise ValueError(
                f"the column date of a traced table must hold dates; it is {frame['date'].dtype}"
            )
        return dates, frame["symbol"].to_numpy(dtype=object)
    anew = fitted and isinstance(frame.index, pd.RangeIndex) and len(frame) < len(data)
    rows = None if anew else rows_of(frame.index, data.index)
    if rows is not None:
        dates = data["date"].to_numpy().astype("datetime64[us]")
        return dates[rows], data["symbol"].to_numpy(dtype=object)[rows]
    alone = days(frame.index) if frame.index.nlevels == 1 else None
    return None if alone is None else (alone, np.full(len(alone), "", dtype=object))


def keys_of_index(index: pd.Index) -> tuple[np.ndarray, np.ndarray] | None:
    """Dates and symbols of an index of these two levels, in either order; else None."""
    for level in (0, 1) if index.nlevels == 2 else ():
        dates = days(index.get_level_values(level))
        if dates is not None:
            return dates, index.get_level_values(1 - level).to_numpy(dtype=object)
    return None


def rows_of(index: pd.Index, rows: pd.Index) -> np.ndarray | None:
    """(n,) places of ``index`` among the data's ``rows``, or None where it is not on them."""
    if not len(index) or index.nlevels != rows.nlevels:
        return None
    places = rows.get_indexer(index)
    return places if (places >= 0).all() else None


def days(values: pd.Series | pd.Index) -> np.ndarray | None:
    """``values`` as datetime64[us] without time zone, if all that are not missing are dates."""
    series = pd.Series(values).reset_index(drop=True)
    if pd.api.types.is_object_dtype(series) or pd.api.types.is_string_dtype(series):
        some = series.dropna()
        if some.empty or not re.fullmatch(ISO_DATE, str(some.iloc[0])):
            return None
        read = pd.to_datetime(series, format="ISO8601", errors="coerce")
        series = read if int(read.notna().sum()) == len(some) else series
    if isinstance(series.dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    if not pd.api.types.is_datetime64_any_dtype(series):
        return None
    plain = series if series.dt.tz is None else series.dt.tz_localize(None)
    return plain.to_numpy().astype("datetime64[us]")
