"""How far results moved, in units of their own spread and beyond rounding."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import FLOAT32, FLOAT64
from foldproof.tasks.diagnose.findings.finding import Witness

T = TypeVar("T")


NOISE_MARGIN = 10.0
"""A move is real only if it is this many times the difference between two identical runs."""


RESOLVED = 16
"""Units in the last place of the largest value by which the order of a sum may move a value."""


SINGLE_UNIT = RESOLVED * float(np.finfo(np.float32).eps)
"""The same as a share of a value in float32."""


NUMERIC = ("integer", "floating", "mixed-integer-float", "decimal", "boolean")
"""What pandas infers of columns of Python objects that are numbers."""


ORDINARY = 100.0
"""Values beyond this many median deviations from the median are exploded: they count in neither the
spread nor the largest ordinary value of a column."""


def moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Absolute change of each cell: 0 where both are missing, infinite where only one is."""
    with np.errstate(invalid="ignore"):
        change = np.abs(after - before)
    same = (before == after) | (np.isnan(before) & np.isnan(after))
    return np.where(same, 0.0, np.where(np.isnan(change), np.inf, change))


def ordinary(values: np.ndarray) -> np.ndarray:
    """The finite ``values``, clipped at 100 median absolute deviations from their median.

    One cell of 1e16, such as a price over a volume of 0, is then no reason to call every other move
    rounding. Columns without such cells stay as they are. If half of the values are equal, the
    median of the other deviations counts.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return finite
    centre = float(np.median(finite))
    with np.errstate(over="ignore"):
        away = np.abs(finite - centre)
    if not away.any():
        return finite
    reach = ORDINARY * float(np.median(away) or np.median(away[away > 0]))
    return finite if away.max() <= reach else np.clip(finite, centre - reach, centre + reach)


def spread(values: np.ndarray) -> float:
    """Standard deviation of the ordinary values; if they are constant, their size, or 1 for 0."""
    return size_of(ordinary(values))


def size_of(usual: np.ndarray) -> float:
    """The spread of ordinary values, see :func:`spread`."""
    for size in (usual.std(), np.abs(usual).max()) if usual.size else ():
        if np.isfinite(size) and size > 0:
            return float(size)
    return 1.0


def largest_ordinary(values: np.ndarray) -> float:
    """Size of the largest ordinary value, or 0."""
    return float(np.abs(ordinary(values)).max(initial=0.0))


def in_spreads(
    before: np.ndarray, after: np.ndarray, scale: float | np.ndarray, top: float | np.ndarray
) -> np.ndarray:
    """Absolute change of each cell in units of ``scale``, see :func:`moved`.

    The unit of a cell larger than ``top`` grows in proportion to the cell, because rounding does.

    Args:
        before: (..., C) values.
        after: The same cells in the other run.
        scale: Spread of each column, (C,) or one for all.
        top: Its largest ordinary value.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = np.abs(before) / top
    return moved(before, after) / (scale * np.where(excess > 1, np.minimum(excess, 1e300), 1.0))


def largest(sizes: np.ndarray, rounding: float = FLOAT32) -> float:
    """The largest finite size, or 0.

    Infinite if results appear or vanish and no other moves by more than ``rounding``.
    """
    finite = sizes[np.isfinite(sizes)]
    top = float(finite.max()) if finite.size else 0.0
    return float("inf") if top <= rounding and np.isinf(sizes).any() else top


def tolerance_of(
    values: pd.Series, scale: float | None = None, usual: np.ndarray | None = None
) -> float:
    """Rounding to allow for, in units of ``scale``, by default the spread of the values.

    Whole numbers, flags, texts and dates are exact. Values that all fit float32 are treated as
    float32. If values are large relative to their spread, such as forecasts of 0.02 that differ by
    1e-6 within a date, summing a batch in another order moves them by more than a fixed share of
    the spread: the tolerance then grows. Cells that exploded do not count, since :func:`in_spreads`
    allows each of them its own rounding.

    ``usual`` are the :func:`ordinary` values if they are known: their medians take time.
    """
    unit = resolution_of(values)
    if unit == 0:
        return 0.0
    usual = ordinary(numbers(values)) if usual is None else usual
    largest_usual = float(np.abs(usual).max(initial=0.0))
    resolved = unit * largest_usual / (size_of(usual) if scale is None else scale)
    return max(FLOAT32 if unit > SINGLE_UNIT / 2 else FLOAT64, resolved)


def resolution_of(values: pd.Series) -> float:
    """Rounding of a value relative to its size: of float32 if all fit it, 0 for exact types."""
    if not is_floating(values):
        return 0.0
    finite = numbers(values)
    finite = finite[np.isfinite(finite)]
    with np.errstate(over="ignore"):
        single = bool((finite.astype(np.float32).astype(np.float64) == finite).all())
    single = single and bool((finite != np.rint(finite)).any())
    return SINGLE_UNIT if single else RESOLVED * float(np.finfo(np.float64).eps)


def is_floating(column: pd.Series) -> bool:
    """Whether a column holds floating-point numbers, as such or as Python objects."""
    if pd.api.types.is_object_dtype(column):
        return pd.api.types.infer_dtype(column) in ("floating", "mixed-integer-float")
    return pd.api.types.is_float_dtype(column)


def numbers(column: pd.Series) -> np.ndarray:
    """A column as float64, NaN where missing; texts and dates are hashed."""
    if pd.api.types.is_object_dtype(column) and pd.api.types.infer_dtype(column) in NUMERIC:
        return np.array([np.nan if pd.isna(one) else float(one) for one in column])
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    try:
        hashes = pd.util.hash_pandas_object(column, index=False)
    except TypeError:  # lists, arrays and the like
        hashes = pd.util.hash_pandas_object(column.map(repr), index=False)
    codes = hashes.to_numpy().astype(np.float64)
    return np.where(column.isna(), np.nan, codes)


def day(date: object) -> str:
    """A date as 2020-01-31."""
    return str(pd.Timestamp(date).date())  # type: ignore[arg-type]  # any date type


@dataclass(frozen=True)
class Difference:
    """The difference between two sets of forecasts.

    Attributes:
        value: Largest finite difference in units of the scale; infinite if forecasts only appear
            or vanish.
        count: Number of forecasts compared.
        date: Date of the largest difference.
        symbol: Symbol of the largest difference.
        before: That forecast in the first set.
        after: That forecast in the second set.
    """

    value: float = 0.0
    count: int = 0
    date: str = ""
    symbol: str = ""
    before: float = float("nan")
    after: float = float("nan")

    def witness(self, cut: str = "") -> Witness:
        """The largest difference, as the witness of a change of the rows after ``cut``."""
        return Witness(cut, self.date, self.symbol, "forecast", self.before, self.after)


def difference(
    before: pd.Series,
    after: pd.Series,
    scale: float,
    rounding: float = FLOAT32,
    top: float = float("inf"),
) -> Difference:
    """Compare forecasts indexed (date, symbol); one that is missing in one set counts as infinite.

    A missing forecast counts even if others move by up to ``rounding``. Forecasts larger than
    ``top`` are allowed more rounding, see :func:`in_spreads`.
    """
    if before.empty and after.empty:
        return Difference()
    both = pd.concat([before, after], axis=1, keys=["before", "after"], sort=False)
    old, new = (both[name].to_numpy(dtype=np.float64) for name in both)
    sizes = in_spreads(old, new, scale, top)
    value = largest(sizes, rounding)
    place = int(np.where(np.isfinite(sizes) | np.isinf(value), sizes, -1.0).argmax())
    date, symbol = both.index[place]
    return Difference(
        value, len(sizes), day(date), str(symbol), float(old[place]), float(new[place])
    )


def forecast_scale(scores: pd.Series) -> float:
    """Mean over dates of the cross-sectional standard deviation of scores indexed (date, symbol).

    The standard deviation over all scores if every date has one symbol. Exploded scores and dates
    do not count, see :func:`ordinary`.
    """
    values = scores.astype(np.float64)
    centre = median_of_date(values)
    away = (values - centre).abs()
    reach = median_of_date(away)
    reach = ORDINARY * reach.where(reach > 0, median_of_date(away.where(away > 0)))
    if (away > reach).any():
        values = values.clip(centre - reach, centre + reach)
    within = values.groupby(level=0).std(ddof=0)
    within = within[np.isfinite(within) & (within > 0)]
    if not len(within):
        return spread(scores.to_numpy(dtype=np.float64))
    return float(ordinary(within.to_numpy()).mean())


def median_of_date(values: pd.Series) -> pd.Series:
    """The median of each date of ``values`` indexed (date, symbol), on each of its entries."""
    return values.groupby(level=0).transform("median")
