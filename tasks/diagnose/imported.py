"""Somebody's own forecaster on somebody's own rows: imported, read, given a fold."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date as Day
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from foldproof.models.imported import failure
from foldproof.models.spec import nearest
from foldproof.tasks.data import DataError
from foldproof.tasks.data.panel.read import own_function
from foldproof.tasks.data.sources.files import read_table
from foldproof.tasks.diagnose.data.labels import Labels
from foldproof.tasks.diagnose.findings.finding import LeakReport, Verdict
from foldproof.tasks.diagnose.forecaster import audit_forecaster
from foldproof.tasks.diagnose.lookahead.controls import remembered
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.diagnose.perturb.rows import KEYS
from foldproof.tasks.diagnose.trace.tables import days
from foldproof.tasks.split import Fold


def audited(
    forecaster: str, rows: pd.DataFrame, fold: Fold, target: str | None, options: dict[str, Any]
) -> LeakReport:
    """The audit of what ``forecaster`` names.

    Raises:
        DataError: It, its target or the data cannot be used: that is no leak.
    """
    try:
        labels = labels_named(target, rows)
        own = own_function(forecaster, "forecaster")
        report = audit_forecaster(own, rows, fold, target=labels, **options)
        found = report.findings
        if report.verdict is Verdict.CLEAN:
            told_of = options.get("known_at", {}), options.get("seed", 0)
            found += tuple(remembered(forecaster, own, rows, fold, *told_of))
    except DataError:
        raise
    # anybody's forecaster: it may raise anything, or end the program
    except (Exception, SystemExit) as error:
        raise DataError(f"{forecaster} cannot be audited: {failure(error)}") from error
    return replace(report, subject=forecaster, findings=found)


def long_rows(path: str, date: str, symbol: str, start: Day | None) -> pd.DataFrame:
    """The rows of a file by date and symbol, under these names; other columns as they are.

    Raises:
        DataError: The file cannot be read, a column is missing, dates are none or twice, or none
            is left from ``start`` on.
    """
    rows = read_table(path, symbol)
    frame = rows.frame.rename(columns=str)
    for wanted in (date, symbol):
        if wanted not in frame:
            raise DataError(f"{path}: no column {wanted!r}; there are {', '.join(map(str, frame))}")
    if frame.empty:
        raise DataError(f"{path}: there are no rows")
    frame = frame.rename(columns={date: "date", symbol: "symbol"})
    for name in (c for c in frame if c != "symbol"):
        frame[name] = dates_of(frame[name], path, date if name == "date" else "")
    frame = frame if start is None else frame[frame["date"] >= pd.Timestamp(start)]
    twice = frame.duplicated(list(KEYS))
    if twice.any() or frame.empty:
        row = [
            f"{symbol} on {day(date)}" for date, symbol in frame.loc[twice, list(KEYS)].values[:1]
        ]
        raise DataError(
            f"{path}: one row a date and symbol is needed; "
            + (f"{int(twice.sum())} stand twice, such as {row[0]}" if twice.any() else "")
            + (f"there is none{f' from {start} on' if start else ''}" if frame.empty else "")
        )
    return frame.sort_values(list(KEYS), ignore_index=True)


def dates_of(column: pd.Series, path: str, needed: str) -> pd.Series:
    """``column`` as dates where all its values are dates; ``needed`` names one that must be.

    Raises:
        DataError: It must be dates and is not.
    """
    stamps = days(column)
    if not needed:
        return column if stamps is None else pd.Series(stamps, column.index).dt.as_unit("us")
    if stamps is None:
        raise DataError(
            f"{path}: column {needed!r} must hold ISO dates; it holds {no_date(column)}"
        )
    if np.isnat(stamps).any():
        raise DataError(f"{path}: column {needed!r} lacks {int(np.isnat(stamps).sum())} dates")
    return pd.Series(stamps, column.index).dt.as_unit("us")


def no_date(column: pd.Series) -> str:
    """The first value that keeps ``column`` from being dates."""
    there = column.dropna()
    read = pd.to_datetime(there.astype(str), format="ISO8601", errors="coerce")
    numeric = pd.api.types.is_numeric_dtype(there)
    wrong = there if numeric or read.notna().all() else there[read.isna()]
    return f"'{wrong.iloc[0]}'" if len(wrong) else "nothing"


def require_dates(rows: pd.DataFrame, setting: str, names: Iterable[str]) -> None:
    """Raise DataError where one of the columns ``names`` holds anything but dates."""
    for name in names:
        if not pd.api.types.is_datetime64_any_dtype(rows[name]):
            raise DataError(
                f"{setting}: column {name!r} must hold ISO dates; it holds {no_date(rows[name])}"
            )


def own_fold(dates: np.ndarray, horizon: int) -> Fold:
    """Half of the dates train, an eighth validates, a quarter is forecast, newest but one tenth.

    The last dates stay after the test block, to be changed.

    Raises:
        DataError: Fewer than 40 dates, or too few for the horizon.
    """
    n, gap = len(dates), horizon + 1
    least = max(40, 20 * gap)
    if n < least:
        raise DataError(
            f"{n} dates are too few for a fold of its own with horizon {horizon}; at least {least} "
            "are needed"
        )
    train = range(0, n // 2)
    validation = range(train.stop + gap, train.stop + gap + n // 8)
    test = range(validation.stop + gap, n - max(2, n // 20))
    return Fold(0, train, validation, test, dates.astype("datetime64[D]"))


def require_columns(rows: pd.DataFrame, setting: str, names: Iterable[str]) -> None:
    """Raise DataError where one of ``names``, as ``setting`` gives them, is no column."""
    columns = [str(name) for name in rows]
    for name in names:
        if name not in columns:
            near = nearest(name, columns) or f"; there are {', '.join(columns)}"
            raise DataError(f"{setting}: there is no column {name!r}{near}")


def labels_named(target: str | None, rows: pd.DataFrame) -> Labels | str | None:
    """The target that is named: a column, or ``package.module:function`` of the rows.

    Raises:
        DataError: There is neither, or the column holds no numbers.
    """
    if target is None:
        return None
    if ":" in target:
        return partial(by_function, own_function(target, "target"))
    require_columns(rows, "target", (target,))
    if not pd.api.types.is_numeric_dtype(rows[target]):
        raise DataError(f"target: column {target!r} must hold numbers; it is {rows[target].dtype}")
    return target


def by_function(function: Callable[..., Any], rows: pd.DataFrame) -> pd.Series:
    """What ``function`` makes of the rows, indexed (date, symbol)."""
    made = function(rows.copy())
    index = pd.MultiIndex.from_frame(rows[list(KEYS)])
    own = made.index if isinstance(made, pd.Series | pd.DataFrame) else rows.index
    series = pd.DataFrame(made, index=own).iloc[:, 0]
    if series.index.nlevels == 2:
        return series
    return pd.Series(series.reindex(rows.index).to_numpy(dtype=np.float64), index=index)
