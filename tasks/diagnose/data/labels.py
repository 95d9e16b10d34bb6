"""Targets of anybody's making: how they are run, and which of their values move."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.perturb.attempt import attempt, run
from foldproof.tasks.diagnose.perturb.compare import (
    NOISE_MARGIN,
    moved,
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
    """A target and how far it may move by rounding.

    Attributes:
        transform: What makes it.
        data: (n,) raw rows, each with a date and a symbol.
        values: (n,) float64; NaN where there is no target.
        limit: Moves above this many ``scale`` are not explained by rounding or by running twice.
        scale: Standard deviation of the target.
        days: (D,) datetime64[ns] trading days.
        row: (n,) place of each row's date in ``days``.
    """

    transform: TargetTransform
    data: pd.DataFrame
    values: np.ndarray
    limit: float
    scale: float
    days: np.ndarray
    row: np.ndarray

    def again(self, data: pd.DataFrame) -> tuple[np.ndarray | None, str]:
        """(n,) the target made from other rows, NaN where it is not; or None and why it failed."""
        column, reason = attempt(partial(column_of, self.transform, data))
        return (None if column is None else numbers(column.reindex(self.data.index))), reason

    def moves(self, after: np.ndarray) -> np.ndarray:
        """(n,) bool: where another target differs by more than rounding."""
        return moved(self.values, after) > self.limit * self.scale


def target_of(transform: TargetTransform, data: pd.DataFrame) -> Target:
    """Run ``transform`` twice on ``data``.

    Raises:
        ValueError: ``data`` is no long table, or the target is not one column on its rows.
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
    rerun = moved(values, numbers(column_of(transform, data)))
    limit = max(tolerance_of(column), NOISE_MARGIN * float(rerun.max(initial=0.0)) / scale)
    return Target(transform, data, values, limit, scale, days, row)


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
    """The raw columns to change: ``names``, or every column of numbers that is no flag or code.

    Raises:
        ValueError: A name is unknown or no such column, or there is none.
    """
    able = [
        str(name)
        for name in data
        if name not in KEYS
        and pd.api.types.is_numeric_dtype(data[name])
        and not pd.api.types.is_bool_dtype(data[name])
    ]
    chosen = [name for name in able if not is_code(data, name)] if names is None else list(names)
    strange = [name for name in chosen if name not in able]
    if strange or not chosen:
        raise ValueError(
            f"columns must be columns of numbers, of {', '.join(able) or 'which data has none'}; "
            f"they are {', '.join(chosen) or 'none'}"
        )
    return chosen


def is_code(data: pd.DataFrame, name: str) -> bool:
    """Whether a column of whole numbers never changes within a symbol, as a sector's code."""
    if not pd.api.types.is_integer_dtype(data[name]):
        return False
    return bool((data.groupby("symbol")[name].nunique() <= 1).all())
