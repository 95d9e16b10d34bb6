"""A user's own forecaster, rows and fold: imported, read and checked."""

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
from foldproof.tasks.data.forms.recognize import form_named
from foldproof.tasks.data.panel.read import own_function
from foldproof.tasks.data.sources.files import read_table
from foldproof.tasks.diagnose.counted_runs import Advance, CountedForecaster
from foldproof.tasks.diagnose.findings.finding import LeakReport, Verdict
from foldproof.tasks.diagnose.forecaster import audit_forecaster
from foldproof.tasks.diagnose.lookahead.reads_its_rows import state_between_runs
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.diagnose.perturb.keys import as_dates
from foldproof.tasks.diagnose.perturb.rows import KEYS
from foldproof.tasks.diagnose.spec import AuditOptions, Labels
from foldproof.tasks.split import Fold


def audited(
    forecaster: str,
    rows: pd.DataFrame,
    fold: Fold,
    target: str | None,
    options: AuditOptions,
    advance: Advance | None = None,
) -> LeakReport:
    """The audit of the function ``forecaster``.

    Args:
        forecaster: package.module:function.
        rows: Long rows.
        fold: The fold to audit.
        target: A column, or package.module:function of the rows; None if it is unknown.
        options: Facts about the data, and how much to test.
        advance: Called after each run of the forecaster.

    Raises:
        DataError: The forecaster, its target or the data fail: this is not a leak.
    """
    try:
        options = replace(options, target=labels_named(target, rows))
        function = own_function(forecaster, "forecaster")
        if advance is not None:
            function = CountedForecaster(function, options, advance)
        report = audit_forecaster(function, rows, fold, options)
        found = report.findings
        if report.verdict is Verdict.CLEAN:
            found += tuple(state_between_runs(forecaster, function, rows, fold, options))
    except DataError:
        raise
    # the user's code may raise anything, or exit
    except (Exception, SystemExit) as error:
        raise DataError(f"{forecaster} cannot be audited: {failure(error)}") from error
    return replace(report, subject=forecaster, findings=found)


def long_rows(path: str, date: str, symbol: str, start: Day | None) -> pd.DataFrame:
    """The rows of a file, sorted, with the key columns renamed to date and symbol.

    Raises:
        DataError: The file cannot be read, a column is missing, dates are invalid, a date and
            symbol repeats, or there is no row from ``start`` on.
    """
    with form_named(path):
        frame = read_table(path, symbol).frame.rename(columns=str)
        for wanted in (date, symbol):
            if wanted not in frame:
                there = ", ".join(map(str, frame))
                raise DataError(f"{path}: no column {wanted!r}; there are {there}")
    if frame.empty:
        raise DataError(f"{path}: there are no rows")
    for name in (c for c in frame if c != symbol):
        dates = as_dates(frame[name])
        if dates is not None:
            frame[name] = pd.Series(dates, frame.index)
    require_dates(frame, path, (date,))
    if frame[date].isna().any():
        raise DataError(f"{path}: column {date!r} lacks {int(frame[date].isna().sum())} dates")
    frame = frame.rename(columns={date: "date", symbol: "symbol"})
    frame = frame if start is None else frame[frame["date"] >= pd.Timestamp(start)]
    if frame.empty:
        raise DataError(f"{path}: there are no rows from {start} on")
    repeated = frame.loc[frame.duplicated(list(KEYS)), list(KEYS)]
    if len(repeated):
        first = repeated.iloc[0]
        raise DataError(
            f"{path}: one row per date and symbol is needed; {len(repeated)} are duplicates, "
            f"such as {first['symbol']} on {day(first['date'])}"
        )
    return frame.sort_values(list(KEYS), ignore_index=True)


def require_dates(rows: pd.DataFrame, setting: str, names: Iterable[str]) -> None:
    """Raise DataError unless all columns ``names`` of ``setting`` hold dates."""
    for name in names:
        if not pd.api.types.is_datetime64_any_dtype(rows[name]):
            given = rows[name].dropna()
            if not pd.api.types.is_numeric_dtype(given):
                parsed = pd.to_datetime(given.astype(str), format="ISO8601", errors="coerce")
                given = given[parsed.isna()] if parsed.isna().any() else given
            wrong = f"'{given.iloc[0]}'" if len(given) else "nothing"
            raise DataError(f"{setting}: column {name!r} must hold ISO dates; it holds {wrong}")


def own_fold(dates: np.ndarray, horizon: int) -> Fold:
    """A fold of half of the dates to train, an eighth to validate and about a quarter to test.

    A twentieth of the dates stays after the test block, for the audit to change.

    Raises:
        DataError: Fewer than 40 dates, or too few for the horizon.
    """
    n, gap = len(dates), horizon + 1
    least = max(40, 20 * gap)
    if n < least:
        raise DataError(
            f"{n} dates are too few for a fold with horizon {horizon}; at least {least} are "
            f"needed, since labels become known up to {gap} dates later: give target=COLUMN if "
            "another column of known_at is that late, or split=..."
        )
    train = range(0, n // 2)
    validation = range(train.stop + gap, train.stop + gap + n // 8)
    test = range(validation.stop + gap, n - max(2, n // 20))
    return Fold(0, train, validation, test, dates.astype("datetime64[D]"))


def require_columns(rows: pd.DataFrame, setting: str, names: Iterable[str]) -> None:
    """Raise DataError unless all ``names`` of ``setting`` are columns."""
    columns = [str(name) for name in rows]
    for name in names:
        if name not in columns:
            near = nearest(name, columns) or f"; there are {', '.join(columns)}"
            raise DataError(f"{setting}: there is no column {name!r}{near}")


def labels_named(target: str | None, rows: pd.DataFrame) -> Labels | str | None:
    """The target: the column ``target``, or the function ``package.module:function`` of the rows.

    Raises:
        DataError: It does not exist, or the column holds no numbers.
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
    """The result of ``function`` for the rows, indexed (date, symbol)."""
    out = function(rows.copy())
    index = pd.MultiIndex.from_frame(rows[list(KEYS)])
    own = out.index if isinstance(out, pd.Series | pd.DataFrame) else rows.index
    series = pd.DataFrame(out, index=own).iloc[:, 0]
    if series.index.nlevels == 2:
        return series
    return pd.Series(series.reindex(rows.index).to_numpy(dtype=np.float64), index=index)
