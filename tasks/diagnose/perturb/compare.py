"""How far results moved, and how to run what others wrote."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import FLOAT32, FLOAT64
from foldproof.tasks.diagnose.findings.finding import Witness

T = TypeVar("T")


NOISE_MARGIN = 10.0
"""A move counts as more than the noise of running twice when it is this many times larger."""


RESOLVED = 16
"""Units in the last place of the largest value by which order of summation may move one."""


def moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Absolute change cell by cell; missing equals missing; infinite where one is missing."""
    with np.errstate(invalid="ignore"):
        change = np.abs(after - before)
    same = (before == after) | (np.isnan(before) & np.isnan(after))
    return np.where(same, 0.0, np.where(np.isnan(change), np.inf, change))


def spread(values: np.ndarray) -> float:
    """Standard deviation of the finite values; their size, or 1, where they do not vary."""
    finite = values[np.isfinite(values)]
    for size in (finite.std(), np.abs(finite).max()) if finite.size else ():
        if np.isfinite(size) and size > 0:
            return float(size)
    return 1.0


def largest(sizes: np.ndarray, rounding: float = FLOAT32) -> float:
    """The largest finite size; 0 for none.

    Infinite where results appear or vanish and no other moves beyond ``rounding``.
    """
    finite = sizes[np.isfinite(sizes)]
    top = float(finite.max()) if finite.size else 0.0
    return float("inf") if top <= rounding and np.isinf(sizes).any() else top


def tolerance_of(values: pd.Series, scale: float | None = None) -> float:
    """Rounding to allow for, in units of ``scale``, by default the spread of the values.

    Floats that are all float32 numbers are taken to be float32 work. Values that lie closer
    together than their size can be resolved, such as forecasts of 0.02 that differ by 1e-6 within
    a date, move by more than a fixed share of their spread when a batch is summed in another order.
    """
    if not pd.api.types.is_float_dtype(values):
        return FLOAT64
    finite = values.to_numpy(dtype=np.float64, na_value=np.nan)
    finite = finite[np.isfinite(finite)]
    with np.errstate(over="ignore"):
        single = bool((finite.astype(np.float32).astype(np.float64) == finite).all())
    single = single and bool((finite != np.rint(finite)).any())
    unit = float(np.finfo(np.float32 if single else np.float64).eps)
    size = float(np.abs(finite).max(initial=0.0))
    resolved = RESOLVED * unit * size / (spread(finite) if scale is None else scale)
    return max(FLOAT32 if single else FLOAT64, resolved)


def numbers(column: pd.Series) -> np.ndarray:
    """A column as float64, NaN where missing; texts and dates become a number that tells apart."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    try:
        hashes = pd.util.hash_pandas_object(column, index=False)
    except TypeError:  # lists, arrays and the like
        hashes = pd.util.hash_pandas_object(column.map(repr), index=False)
    codes = hashes.to_numpy().astype(np.float64)
    return np.where(column.isna(), np.nan, codes)


def day(date: object) -> str:
    """A date as 2020-01-31."""
    return str(pd.Timestamp(date).date())  # type: ignore[arg-type]  # any date type is taken


@dataclass(frozen=True)
class Difference:
    """How far forecasts lie apart.

    Attributes:
        value: Largest finite difference in units of the scale; infinite where forecasts only
            appear or vanish.
        count: Forecasts compared.
        date: Of the largest difference.
        symbol: Of the largest difference.
        before: Its forecast in the first set.
        after: Its forecast in the second set.
    """

    value: float = 0.0
    count: int = 0
    date: str = ""
    symbol: str = ""
    before: float = float("nan")
    after: float = float("nan")

    def witness(self, cut: str = "") -> Witness:
        """The place of the largest difference, seen when rows after ``cut`` change."""
        return Witness(cut, self.date, self.symbol, "forecast", self.before, self.after)


def difference(
    before: pd.Series, after: pd.Series, scale: float, rounding: float = FLOAT32
) -> Difference:
    """Compare forecasts indexed (date, symbol); one that is in one set only counts as infinite.

    Moves up to ``rounding`` do not hide that one is in one set only.
    """
    if before.empty and after.empty:
        return Difference()
    both = pd.concat([before, after], axis=1, keys=["before", "after"], sort=False)
    old, new = (both[name].to_numpy(dtype=np.float64) for name in both)
    sizes = moved(old, new) / scale
    value = largest(sizes, rounding)
    place = int(np.where(np.isfinite(sizes) | np.isinf(value), sizes, -1.0).argmax())
    date, symbol = both.index[place]
    return Difference(
        value, len(sizes), day(date), str(symbol), float(old[place]), float(new[place])
    )


def forecast_scale(scores: pd.Series) -> float:
    """Mean over dates of the cross-sectional standard deviation of scores indexed (date, symbol).

    Where dates hold one symbol, the standard deviation over all.
    """
    within = scores.groupby(level=0).std(ddof=0)
    within = within[np.isfinite(within) & (within > 0)]
    return float(within.mean()) if len(within) else spread(scores.to_numpy(dtype=np.float64))
