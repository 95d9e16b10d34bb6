"""Changed cells of a column of any type; all other cells stay as they are, to the last bit."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import is_
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from pandas.api import types

from foldproof.tasks.diagnose.perturb.compare import NUMERIC, numbers
from foldproof.tasks.diagnose.perturb.perturbations import Perturbation

MAKERS: Mapping[str, Callable[[float], Any]] = MappingProxyType(
    {"integer": round, "decimal": lambda number: Decimal(repr(number))}
)
"""Numbers that are Python objects, by what pandas infers of their column; others are floats."""


def changed_column(
    column: pd.Series,
    rows: np.ndarray,
    perturbation: Perturbation,
    generator: Generator,
    dated: bool = False,
) -> pd.Series:
    """``column`` with ``rows`` (n,) bool changed, of the same type.

    Columns of dates do not change, unless ``dated``: they are then shuffled as labels are. Whole
    numbers of any size stay whole and within their type. Where a type has no missing value, whole
    numbers become 0 and flags False.

    Raises:
        ValueError: The perturbation removes rows.
    """
    if perturbation.change is None:
        raise ValueError(f"{perturbation.key} removes rows; it cannot change a column")
    cells = changed_cells(column[rows], perturbation, generator, dated) if rows.any() else None
    if cells is None:
        return column
    if isinstance(column.dtype, pd.SparseDtype):  # it takes no assignment
        values = dense(column)
        values[rows] = cells
        return pd.Series(values, column.index, name=column.name).astype(column.dtype)
    array = column.array.copy()
    array[rows] = cells
    return pd.Series(array, column.index, name=column.name)


def dense(column: Any) -> np.ndarray:
    """A sparse column as an array of its own."""
    return column.sparse.to_dense().to_numpy(copy=True)


def require_untouched(before: pd.Series, after: pd.Series, kept: np.ndarray) -> None:
    """Raise RuntimeError unless the cells ``kept`` (n,) bool are the same to the last bit."""
    if after is not before and not identical(before[kept], after[kept]):
        raise RuntimeError(
            f"column {before.name!r} ({before.dtype}): a change of later cells altered cells that "
            "are known at the cut, so no verdict is possible; please report this with the column"
        )


def identical(one: pd.Series, other: pd.Series) -> bool:
    """Whether two columns have the same type and the same cells, bit by bit."""
    if one.dtype != other.dtype:
        return False
    if not isinstance(one.dtype, np.dtype):
        return one.array.equals(other.array)
    if one.dtype.kind == "O":
        return all(map(is_, one.to_numpy(), other.to_numpy()))
    return one.to_numpy().tobytes() == other.to_numpy().tobytes()


def changed_cells(
    cells: pd.Series, perturbation: Perturbation, generator: Generator, dated: bool
) -> Any:
    """The changed values of ``cells`` as an array of their type; None where they stay."""
    change, blank, kind = perturbation.change, perturbation.key == "missing", cells.dtype.kind
    dates = kind == "M" or isinstance(cells.dtype, pd.PeriodDtype)
    if change is None or (dates and not dated):
        return None
    inferred = types.infer_dtype(cells) if types.is_object_dtype(cells) else ""
    floating = types.is_float_dtype(cells) or inferred in ("floating", "mixed-integer-float")
    if perturbation.key == "tremor" and not floating:
        return None
    if types.is_bool_dtype(cells) or inferred == "boolean":
        return blanks(cells) if blank else opposite(cells)
    if kind == "m":
        return blanks(cells) if blank else changed_spans(cells, perturbation, generator)
    if kind == "c":
        return change(cells.to_numpy().real, generator) + 0j
    if types.is_numeric_dtype(cells) or inferred in NUMERIC:
        return blanks(cells) if blank else like(cells, change(numbers(cells), generator), inferred)
    labels = perturbation.change_labels
    return None if labels is None else cells.array.take(labels(np.arange(len(cells)), generator))


def blanks(cells: pd.Series) -> Any:
    """A missing value for every cell; 0 or False where the type has none."""
    dtype: Any = cells.dtype
    plain: Any = dtype.subtype if isinstance(dtype, pd.SparseDtype) else dtype
    if not isinstance(plain, np.dtype):
        return pd.array([pd.NA] * len(cells), dtype=plain)
    if plain.kind in "biu":
        return np.zeros(len(cells), plain)
    return np.full(
        len(cells), {"m": np.timedelta64("NaT"), "O": None}.get(plain.kind, np.nan), plain
    )


def opposite(cells: pd.Series) -> Any:
    """Flags turned round; missing ones stay missing."""
    if cells.dtype.kind == "O":
        return np.array([one if pd.isna(one) else not one for one in cells], dtype=object)
    if isinstance(cells.dtype, pd.SparseDtype):
        return ~dense(cells)
    return (~cells).array


def changed_spans(cells: pd.Series, perturbation: Perturbation, generator: Generator) -> Any:
    """Changed spans of time, to whole units; missing ones stay missing."""
    spans = pd.to_timedelta(cells).to_numpy()
    ticks = spans.astype(np.int64)
    values = np.where(np.isnat(spans), np.nan, ticks)
    new = whole(perturbation.change(values, generator), ticks)  # type: ignore[misc]  # checked
    found = new.astype(spans.dtype)
    found[np.isnat(spans)] = np.timedelta64("NaT")
    return pd.Series(found).astype(cells.dtype).array


def like(cells: pd.Series, values: np.ndarray, inferred: str) -> Any:
    """``values`` (n,) float64 as an array of the type of ``cells``; NaN is missing.

    Args:
        cells: The cells before the change.
        values: Their new values.
        inferred: What pandas infers of Python objects.
    """
    dtype: Any = cells.dtype
    gone = cells.isna().to_numpy()
    if inferred:
        make = MAKERS.get(inferred, float)
        pairs = zip(cells, values.tolist(), gone, strict=True)
        return np.array([old if lost else make(new) for old, new, lost in pairs], dtype=object)
    if "decimal" in str(dtype):
        return decimals(dtype, values, gone)
    plain: Any = dtype.subtype if isinstance(dtype, pd.SparseDtype) else dtype
    kind = np.dtype(getattr(plain, "numpy_dtype", plain))
    if kind.kind == "f":
        info = np.finfo(kind)
        new = np.clip(values, float(info.min), float(info.max)).astype(kind)
        return new if plain is kind or isinstance(plain, np.dtype) else pd.array(new, dtype=dtype)
    old = cells.to_numpy(kind, na_value=0) if gone.any() else cells.to_numpy(kind)
    new = whole(values, old)
    if isinstance(plain, np.dtype):
        return new
    out: Any = pd.array(new, dtype=dtype)
    out[gone] = None
    return out


def whole(values: np.ndarray, old: np.ndarray) -> np.ndarray:
    """``values`` as whole numbers of the type of ``old``, each different from the old one.

    Negative values of an unsigned type count down from its largest old value.
    """
    info = np.iinfo(old.dtype)
    high = float(info.max)
    high = high if int(high) <= info.max else float(np.nextafter(high, 0.0))
    if info.min == 0:
        values = np.where(values < 0, float(old.max(initial=0)) + values, values)
    rounded = np.clip(np.rint(np.nan_to_num(values)), float(info.min), high).astype(old.dtype)
    one = old.dtype.type(1)
    return np.where(rounded != old, rounded, np.where(old < info.max, old + one, old - one))


def decimals(dtype: Any, values: np.ndarray, gone: np.ndarray) -> Any:
    """``values`` as decimals of an Arrow type, within its digits."""
    kind = dtype.pyarrow_dtype
    unit = Decimal(1).scaleb(-kind.scale)
    most = 10.0 ** min(kind.precision - kind.scale, 300) * (1 - 1e-9) - float(unit)
    held = np.clip(np.nan_to_num(values), -most, most).tolist()
    new = [None if lost else Decimal(f"{one:.{max(kind.scale, 0)}f}") for one, lost in
           zip(held, gone, strict=True)]  # fmt: skip
    return pd.array(new, dtype=dtype)
