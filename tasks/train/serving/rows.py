"""The input rows of a served model, checked column by column before they are scored."""

from datetime import date

import numpy as np
import pandas as pd

from foldproof.tasks.data import FEATURES, DataError, DataSpec
from foldproof.tasks.data.panel.read import latest_today
from foldproof.tasks.data.rows import Rows, names_of
from foldproof.tasks.data.sources.checks import checked
from foldproof.tasks.data.sources.files import flat, require_column, require_distinct
from foldproof.tasks.data.sources.parse import numbers, parsed

GIVEN = "the input"
"""The name of the rows in errors."""
LABELS = ("known", "target", "label_end")
"""Roles that a model never reads."""


def columns_read(data: DataSpec, features: tuple[str, ...]) -> tuple[str, ...]:
    """The raw columns that a model with these features needs.

    A user's feature function may need more; which ones is unknown.
    """
    named = ["date", "symbol"]
    if data.source == "file" and data.columns.member is not None:
        named.append("member")
    if data.features == "price":
        volume = any(FEATURES[name].needs_volume for name in features)
        return (*named, "price", *(["volume"] if volume else []))
    return (*named, *features) if data.features == "ready" else tuple(named)


def input_names(data: DataSpec) -> dict[str, str]:
    """Role -> name of its column in a model's input: as in the user's own table, if any."""
    names = ("date", "symbol", "price", "volume", "member")
    own = data.columns.roles if data.source in ("file", "query") else {}
    return {role: own.get(role, role) for role in names}


def as_input(rows: pd.DataFrame, data: DataSpec) -> pd.DataFrame:
    """Rows with columns named by their roles, under the names of a model's input."""
    return rows.rename(columns=input_names(data))


def in_roles(frame: pd.DataFrame, data: DataSpec) -> pd.DataFrame:
    """The input with columns named by their roles; the user's own names come first."""
    own = {name: role for role, name in data.columns.roles.items() if name in frame}
    hidden = [role for name, role in own.items() if role != name and role in frame]
    hidden = [role for role in hidden if role not in own]
    return frame.drop(columns=hidden).rename(columns=own)


def inputs_of(rows: pd.DataFrame, data: DataSpec, features: tuple[str, ...]) -> pd.DataFrame:
    """The rows by date and symbol, with a type for each column, without unused columns.

    Args:
        rows: Long, in any order: one row per date and symbol, with columns under the names of the
            user's own table, or under their roles.
        data: How the model's features are made.
        features: Names of the features.

    Raises:
        DataError: What is wrong with which column, in which row.
    """
    if not len(rows):
        raise DataError(f"{GIVEN} has no rows; provide the newest dates with their history")
    table, names = flat(rows.rename(columns=str)), input_names(data)
    require_distinct(GIVEN, names_of(table))
    given = Rows(in_roles(table, data), GIVEN, written=names)
    for name in columns_read(data, features):
        if name not in given.frame:
            require_column(Rows(table, GIVEN), names.get(name, name), "which the model reads")
    kept = [name for name in names_of(given.frame) if is_read(name, data, features)]
    typed = parsed(given.with_frame(given.frame[kept]), ready=False)
    if data.features == "ready":
        found = {name: numbers(typed, name) for name in features}
        typed = typed.with_frame(typed.frame.assign(**found))
    return checked(typed, latest_today()).frame


def is_read(name: str, data: DataSpec, features: tuple[str, ...]) -> bool:
    """Whether the model may read the column ``name``."""
    roles = ("date", "symbol", "price", "volume", "member")
    own = data.features not in ("price", "ready")
    return name in roles or name in features or (own and name not in LABELS)


def rows_since(frame: pd.DataFrame, since: date) -> pd.DataFrame:
    """The rows from ``since`` on, for a model whose normalization uses all rows from then on.

    Raises:
        DataError: They begin later.
    """
    first = frame["date"].min()
    if first > pd.Timestamp(since):
        raise DataError(
            f"{GIVEN} begins on {first:%Y-%m-%d}, but the model normalizes by all rows since "
            f"{since}; provide the rows from then on"
        )
    return frame[frame["date"] >= pd.Timestamp(since)].reset_index(drop=True)


def short_history(frame: pd.DataFrame, history: int | None) -> DataError:
    """The error for rows in which no symbol of the last date has a complete window.

    Args:
        frame: Checked rows.
        history: Trading dates that a score needs; None if the model has no record of it.
    """
    last = frame["date"].max()
    there = frame.loc[frame["date"] == last, "symbol"]
    dates = frame[frame["symbol"].isin(there)].groupby("symbol")["date"].nunique()
    longest = str(dates.idxmax())
    needs = f"at least {history} trading dates" if history else "its window and look-back"
    return DataError(
        f"{GIVEN} is too short to score any of the {len(there)} symbols on {last:%Y-%m-%d}: a "
        f"symbol needs {needs} up to then, without a gap in the columns of its features; the "
        f"longest, {longest}, has {dates[longest]}: {gaps(frame, longest)}"
    )


def gaps(frame: pd.DataFrame, symbol: str) -> str:
    """The columns in which cells of a symbol are missing, or else the advice to add history."""
    own = frame[frame["symbol"] == symbol].select_dtypes(np.number)
    holes = own.isna().sum()
    named = [f"{name} in {count} rows" for name, count in holes[holes > 0].items()]
    return f"fill {', '.join(named)}" if named else "provide more history"
