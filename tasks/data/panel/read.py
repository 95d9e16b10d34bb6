"""The two stages of a panel, each callable by itself: raw rows, and features made from them."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldproof.models.imported import failure, imported
from foldproof.tasks.data.features.features import price_features
from foldproof.tasks.data.forms.recognize import form_named
from foldproof.tasks.data.incremental.append import read_incrementally
from foldproof.tasks.data.panel.calendars import odd_dates, on_trading_dates
from foldproof.tasks.data.panel.history import as_known, between, with_history
from foldproof.tasks.data.panel.suspicious import suspicious
from foldproof.tasks.data.rows import LARGEST, ROLES, DataError, Rows, names_of, require_printable
from foldproof.tasks.data.sources.catalogue import SOURCES
from foldproof.tasks.data.sources.checks import checked, with_content
from foldproof.tasks.data.sources.parse import not_numbers, parsed
from foldproof.tasks.data.spec import DataSpec

Transform = Callable[[pd.DataFrame], pd.DataFrame]


def read(spec: DataSpec, today: date | None = None, kept: Path | None = None) -> Rows:
    """Stage 1: the checked rows of ``spec.source``, by date and symbol.

    Args:
        spec: Where the rows come from.
        today: No row may be dated later; None for today.
        kept: Folder of the rows that ``spec.incremental`` keeps; None to read everything.

    Raises:
        DataError: The first fault of the rows.
    """
    source = SOURCES[spec.source]
    with form_named(spec.path if spec.source == "file" else None):
        if kept is not None and spec.incremental:
            rows = read_incrementally(spec, today or latest_today(), kept, source.load)
        else:
            rows = typed(source.load(spec), spec, today)
    start = spec.start or (date.fromisoformat(source.start) if source.start else None)
    origin = {"source": spec.source, "title": source.title, "notes": source.notes}
    rows = replace(rows, about=origin | {"terms": source.terms, "origin": rows.origin} | rows.about)
    return selected(rows, spec, start)


def accepted(rows: Rows, spec: DataSpec, start: date | None, today: date | None) -> Rows:
    """The rows that a panel is made from: typed, checked, as known, between start and end.

    Raises:
        DataError: The first fault of the rows.
    """
    return selected(typed(rows, spec, today), spec, start)


def typed(rows: Rows, spec: DataSpec, today: date | None) -> Rows:
    """The rows with a type for each column, each row checked by itself.

    Raises:
        DataError: The first fault of the rows.
    """
    if spec.features == "price" and "price" not in rows.frame:
        raise DataError(f"{rows.origin} has no prices to make features from; set features: ready")
    return checked(parsed(rows, spec.features == "ready"), today or latest_today())


def selected(rows: Rows, spec: DataSpec, start: date | None) -> Rows:
    """The checked rows and columns that count.

    Raises:
        DataError: Nothing is left.
    """
    rows = with_content(rows, spec.features == "ready", spec.columns.features)
    rows = on_trading_dates(rows, spec.checks.min_quoted)
    rows = with_history(between(as_known(rows), start, spec.end), spec.min_history)
    return odd_dates(suspicious(rows, spec.checks))


def load_raw(spec: DataSpec, kept: Path | None = None) -> pd.DataFrame:
    """Stage 1 as a plain table: date, symbol, the other roles, and the user's columns.

    ``kept`` is the folder of the rows that ``spec.incremental`` keeps.
    """
    return read(spec, kept=kept).frame


def features_of(spec: DataSpec) -> Transform | None:
    """Stage 2: long rows -> features on the same rows; None if the features are ready-made.

    Raises:
        DataError: The user's function cannot be imported.
    """
    if spec.features == "ready":
        return None
    if spec.features == "price":
        return partial(price_features, fill_limit=spec.fill_limit)
    function = own_function(spec.features, "features")
    return partial(own_features, function, spec.features, spec.columns.roles)


def own_function(name: str, what: str) -> Callable[..., Any]:
    """The function that ``package.module:function`` names; ``what`` it is used as, for messages.

    Raises:
        DataError: It cannot be imported, or it is not a function.
    """
    try:
        return imported(name, what)
    except ValueError as error:
        raise DataError(str(error)) from error


def own_features(
    function: Transform, name: str, written: Mapping[str, str], frame: pd.DataFrame
) -> pd.DataFrame:
    """The features that the user's function makes from a copy of ``frame``, checked.

    Args:
        function: Long rows -> features on the same rows.
        name: Its name in errors.
        written: Role -> name of its column in the user's table; the function gets both.
        frame: Long rows, with columns named by their roles.

    Raises:
        DataError: The function raises, or does not return a table of finite or missing numbers on
            the same rows.
    """
    given = as_written(frame, written)
    try:
        out = function(given.copy())
    except (Exception, SystemExit) as error:  # a user's function may raise anything
        columns = isinstance(error, KeyError | AttributeError)
        there = f"; its rows have the columns {', '.join(names_of(given))}" if columns else ""
        raise DataError(f"features {name!r} failed: {failure(error)}{there}") from error
    if not isinstance(out, pd.DataFrame):
        raise DataError(f"features {name!r} returned {type(out).__name__}; return a DataFrame")
    roles = [*ROLES, *(column for role, column in written.items() if role in frame)]
    same = [one for one in roles if one in out and (one in ROLES or unchanged(out, given, one))]
    out = out.drop(columns=same)
    if not out.index.equals(frame.index):
        raise DataError(
            f"features {name!r} returned {len(out)} rows for {len(frame)}, or other index labels; "
            "return one row per row given, with its index, and NaN where a feature is unknown"
        )
    if out.columns.empty or out.columns.duplicated().any():
        raise DataError(
            f"features {name!r} returned the columns {[*out.columns]}; return one or more "
            "features of different names, besides date and symbol"
        )
    require_printable(f"features {name!r}", map(str, out))
    text = [column for column in out if out[column].dtype.kind not in "fiub"]
    if text:
        what = not_numbers(out[text[0]]) or "objects"
        raise DataError(f"features {name!r}: column {text[0]!r} holds {what}; drop or encode it")
    for column in out:
        values = out[column].to_numpy(np.float64)
        bad = np.abs(values) > LARGEST
        if bad.any():
            first = bad.argmax()
            row = frame.loc[out.index[first]]
            what = "infinite" if np.isinf(values[first]) else f"beyond {LARGEST:.1e}"
            raise DataError(
                f"features {name!r}: column {column!r} is {what} at {row['date']:%Y-%m-%d}, "
                f"{row['symbol']} ({bad.sum()} such cells); return NaN there"
            )
    return out


def as_written(frame: pd.DataFrame, written: Mapping[str, str]) -> pd.DataFrame:
    """``frame`` with the columns of roles under the user's names first, then under their roles."""
    named = {role: name for role, name in written.items() if role in frame}
    out = frame.rename(columns=named)
    aliases = {role: frame[role] for role in named if role not in out}
    return out.assign(**aliases)


def unchanged(out: pd.DataFrame, given: pd.DataFrame, name: str) -> bool:
    """Whether a column is returned as it was given: then it is not a feature."""
    column = out[name]
    return isinstance(column, pd.Series) and column.equals(given[name])


def features_version(spec: DataSpec) -> str:
    """Hash of the source file of the user's function; empty for built-in features.

    Files that it imports do not count.
    """
    if ":" not in spec.features:
        return ""
    module = inspect.getmodule(inspect.unwrap(own_function(spec.features, "features")))
    file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


def latest_today() -> date:
    """The latest date anywhere on Earth now (UTC+14)."""
    return (datetime.now(UTC) + timedelta(hours=14)).date()
