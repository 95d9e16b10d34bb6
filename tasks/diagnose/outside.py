"""Somebody's own forecaster on somebody's own rows: imported, read, given a fold."""

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.data import DataError
from tasks.data.files import read_table
from tasks.diagnose.battery import Labels
from tasks.diagnose.perturb import KEYS
from tasks.split import Fold


def imported(name: str) -> Callable[..., Any]:
    """What ``package.module:function`` names; the working directory is looked in first.

    Raises:
        DataError: No such module, nothing of that name in it, or it cannot be called.
    """
    module, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise DataError(f"{name} cannot be imported: {error}") from error
    if not callable(found):
        raise DataError(f"{name} must be a function; it is {type(found).__name__}")
    return found


def long_rows(path: str, date: str, symbol: str, start: str | None) -> pd.DataFrame:
    """The rows of a file by date and symbol, under these names; other columns as they are.

    Raises:
        DataError: The file cannot be read, a column is missing, or dates are none or twice.
    """
    rows = read_table(path, symbol)
    frame = rows.frame.rename(columns=str)
    for wanted in (date, symbol):
        if wanted not in frame:
            raise DataError(f"{path}: no column {wanted!r}; there are {', '.join(map(str, frame))}")
    frame = frame.rename(columns={date: "date", symbol: "symbol"})
    for name in (c for c in frame if frame[c].dtype == object or c == "date"):
        frame[name] = dates_of(frame[name], path, str(name), name == "date")
    if start is not None:
        frame = frame[frame["date"] >= pd.Timestamp(start)]
    twice = frame.duplicated(list(KEYS))
    if twice.any() or frame.empty:
        row = frame.loc[twice, list(KEYS)].head(1).to_dict("records")
        raise DataError(
            f"{path}: one row a date and symbol is needed; "
            + (f"{int(twice.sum())} stand twice, such as {row}" if twice.any() else "there is none")
        )
    return frame.sort_values(list(KEYS), ignore_index=True)


def dates_of(column: pd.Series, path: str, name: str, needed: bool) -> pd.Series:
    """``column`` as dates where all its values are dates.

    Raises:
        DataError: It must be dates and is not.
    """
    try:
        stamps = pd.to_datetime(column, format="ISO8601")
    except (ValueError, TypeError) as error:
        if needed:
            raise DataError(f"{path}: column {name!r} must hold ISO dates: {error}") from error
        return column
    if needed and stamps.isna().any():
        raise DataError(f"{path}: column {name!r} lacks {int(stamps.isna().sum())} dates")
    return stamps.dt.as_unit("us") if stamps.dt.tz is None else stamps.dt.tz_localize(None)


def own_fold(dates: np.ndarray, horizon: int) -> Fold:
    """Half of the dates train, an eighth validates, a quarter is forecast, newest but one tenth.

    The last dates stay after the test block, to be changed.

    Raises:
        DataError: Fewer than 40 dates.
    """
    n = len(dates)
    if n < 40:
        raise DataError(f"{n} dates are too few for a fold of its own; at least 40 are needed")
    gap = horizon + 1
    train = range(0, n // 2)
    validation = range(train.stop + gap, train.stop + gap + n // 8)
    test = range(validation.stop + gap, n - max(2, n // 20))
    return Fold(0, train, validation, test, dates.astype("datetime64[D]"))


def labels_named(target: str | None, rows: pd.DataFrame) -> Labels | None:
    """The target that is named: a column, or a function of the rows.

    Raises:
        DataError: There is neither.
    """
    if target is None:
        return None
    if ":" in target:
        return partial(by_function, imported(target))
    if target not in rows:
        raise DataError(f"target {target!r} is no column; there are {', '.join(map(str, rows))}")
    return partial(by_column, target)


def by_column(column: str, rows: pd.DataFrame) -> pd.Series:
    """A column of the rows, indexed (date, symbol)."""
    return rows.set_index(list(KEYS))[column].astype(np.float64)


def by_function(function: Callable[..., Any], rows: pd.DataFrame) -> pd.Series:
    """What ``function`` makes of the rows, indexed (date, symbol)."""
    made = function(rows.copy())
    index = pd.MultiIndex.from_frame(rows[list(KEYS)])
    series = made if isinstance(made, pd.Series) else pd.DataFrame(made).iloc[:, 0]
    if series.index.nlevels == 2:
        return series
    return pd.Series(series.reindex(rows.index).to_numpy(dtype=np.float64), index=index)
