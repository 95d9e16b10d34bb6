"""User-defined targets: how to run them, and which of their values change."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.perturb.attempt import attempt, run
from foldproof.tasks.diagnose.perturb.compare import (
    NOISE_MARGIN,
    in_spreads,
    largest_ordinary,
    numbers,
    spread,
    tolerance_of,
)
from foldproof.tasks.diagnose.perturb.keys import checked_dates
from foldproof.tasks.diagnose.perturb.rows import KEYS

TargetTransform = Callable[[pd.DataFrame], pd.Series | pd.DataFrame]
"""Long raw rows -> the target on the same rows: a Series, or a table of one column."""


@dataclass(frozen=True, eq=False)
class Target:
    """A target with the limits of its rounding.

    Attributes:
        transform: The function that makes it.
        data: (n,) raw rows, each with a date and a symbol.
        values: (n,) float64; NaN where there is no target.
        limit: Changes above this many ``scale`` exceed rounding and the difference of two runs.
        scale: Spread of the target.
        top: Its largest ordinary value; a larger one is allowed more rounding.
        days: (D,) datetime64[ns] trading days.
        row: (n,) position of each row's date in ``days``.
    """

    transform: TargetTransform
    data: pd.DataFrame
    values: np.ndarray
    limit: float
    scale: float
    top: float
    days: np.ndarray
    row: np.ndarray

    def again(self, data: pd.DataFrame) -> tuple[np.ndarray | None, str]:
        """(n,) the target of other rows, NaN where missing; or None and why it failed."""
        column, reason = attempt(partial(column_of, self.transform, data))
        return (None if column is None else numbers(column.reindex(self.data.index))), reason

    def moves(self, after: np.ndarray) -> np.ndarray:
        """(n,) bool: where ``after`` differs from the target by more than rounding."""
        return in_spreads(self.values, after, self.scale, self.top) > self.limit


def target_of(transform: TargetTransform, data: pd.DataFrame) -> Target:
    """Run ``transform`` twice on ``data``.

    Raises:
        ValueError: ``data`` is not a long table, or the target is not one column on its rows.
    """
    missing = [name for name in KEYS if name not in data]
    if missing:
        raise ValueError(f"data needs the columns date and symbol; {', '.join(missing)} is missing")
    if not data.index.is_unique:
        raise ValueError("data's index must be unique: call data.reset_index(drop=True)")
    days, row = np.unique(checked_dates(data["date"], "data['date']"), return_inverse=True)
    if len(days) < 2:
        raise ValueError(f"data needs at least 2 dates; it has {len(days)}")
    column = column_of(transform, data)
    values, scale = numbers(column), spread(numbers(column))
    top = largest_ordinary(values)
    rerun = in_spreads(values, numbers(column_of(transform, data)), scale, top)
    limit = max(tolerance_of(column), NOISE_MARGIN * float(rerun.max(initial=0.0)))
    return Target(transform, data, values, limit, scale, top, days, row)


def column_of(transform: TargetTransform, data: pd.DataFrame) -> pd.Series:
    """The target of a copy of ``data``, on its rows."""

    def as_table(rows: pd.DataFrame) -> pd.DataFrame:
        out = transform(rows)
        return out.to_frame("target") if isinstance(out, pd.Series) else out

    table = run(as_table, data)
    if len(table.columns) != 1:
        raise ValueError(
            f"a target is one column; the transform returned {', '.join(map(str, table)) or 'none'}"
        )
    return table.iloc[:, 0]


def amounts(data: pd.DataFrame, names: Iterable[str] | None) -> list[str]:
    """The raw columns to change: ``names``, or every numeric column that is not a flag or a code.

    Raises:
        ValueError: A name is not a numeric column, or there is no such column.
    """
    numeric = [
        str(name)
        for name in data
        if name not in KEYS
        and pd.api.types.is_numeric_dtype(data[name])
        and not pd.api.types.is_bool_dtype(data[name])
    ]
    chosen = [name for name in numeric if not is_code(data, name)] if names is None else list(names)
    unusable = [name for name in chosen if name not in numeric]
    if unusable or not chosen:
        raise ValueError(
            f"columns must be numeric columns, of {', '.join(numeric) or 'which data has none'}; "
            f"they are {', '.join(chosen) or 'none'}"
        )
    return chosen


def is_code(data: pd.DataFrame, name: str) -> bool:
    """Whether an integer column is constant within each symbol, like a sector code."""
    if not pd.api.types.is_integer_dtype(data[name]):
        return False
    return bool((data.groupby("symbol")[name].nunique() <= 1).all())
