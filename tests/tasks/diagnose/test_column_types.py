"""Columns of every type that pandas and Arrow hold, each with a planted leak and an honest twin."""

from decimal import Decimal
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from foldproof.tasks.diagnose import QUICK, Verdict, audit_forecaster
from foldproof.tasks.diagnose.perturb import rows
from foldproof.tasks.diagnose.perturb.cells import changed_column
from foldproof.tasks.diagnose.perturb.perturbations import PERTURBATIONS
from foldproof.tasks.diagnose.perturb.rows import change_rows
from foldproof.tasks.split import Fold

DATES = pd.bdate_range("2021-01-04", periods=60)
FOLD = Fold(0, range(0, 25), range(27, 32), range(34, 52), DATES.to_numpy("datetime64[D]"))
NUMPY = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
NUMPY += ["float16", "float32", "float64"]
NULLABLE = [name.replace("int", "Int").replace("uI", "UI").replace("f", "F") for name in NUMPY
            if name != "float16"]  # fmt: skip
ARROW = {
    "halffloat": pa.float16(), "date32": pa.date32(), "decimal": pa.decimal128(12, 2),
    "duration": pa.duration("us"), "timestamp": pa.timestamp("us"), "string": pa.string(),
    "bool": pa.bool_(), **{name: getattr(pa, name)() for name in NUMPY if name != "float16"},
}  # fmt: skip


def typed(codes, kind):
    """Whole numbers from 0 to 99 as a column of a type."""
    library, _, name = kind.partition(":")
    plain = pd.Series(codes)
    if name in ("bool", "boolean"):
        plain = plain % 2 == 1
    elif name in ("date32", "timestamp", "datetime64[us]", "period"):
        plain = pd.Series(pd.to_datetime("2000-01-01") + pd.to_timedelta(codes, unit="D"))
    elif name in ("duration", "timedelta64[us]"):
        plain = pd.Series(pd.to_timedelta(codes, unit="h"))
    elif name in ("string", "category", "str"):
        plain = plain.map("g{:02d}".format)
    elif name == "decimal":
        plain = pd.Series([Decimal(int(code)) / 4 for code in codes], dtype=object)
    if library == "arrow":
        return plain.astype(pd.ArrowDtype(ARROW[name]))
    if library == "sparse":
        return plain.astype(pd.SparseDtype(name))
    if name == "period":
        return plain.dt.to_period("D")
    if library == "object" or name == "decimal":
        return plain.astype(object)
    return plain.astype(name)


KINDS = [
    *(f"numpy:{n}" for n in (*NUMPY, "bool", "datetime64[us]", "timedelta64[us]")),
    *(f"pandas:{n}" for n in (*NULLABLE, "boolean", "category", "string", "str", "period")),
    *(f"arrow:{n}" for n in ARROW),
    "sparse:float64", "sparse:int64", "object:int64", "object:float64", "object:bool",
    "object:decimal",
]  # fmt: skip
LARGE = {
    "int64 beyond 2**31": np.int64(5_000_000_000),
    "int64 beyond 2**53": np.int64(2**60),
    "uint64 beyond 2**63": np.uint64(2**63 + 2**40),
}


def table(values):
    """Three stocks, a price, and the column under test."""
    keys = pd.MultiIndex.from_product([DATES, list("ABC")], names=["date", "symbol"])
    price = np.exp(np.random.default_rng(1).normal(0, 0.02, len(keys)).cumsum())
    return keys.to_frame(index=False).assign(price=price, x=values)


@cache
def codes():
    return np.random.default_rng(0).integers(0, 100, 3 * len(DATES))


def holds_labels(x):
    """Whether a column holds texts or categories."""
    if isinstance(x.dtype, pd.CategoricalDtype):
        return True
    return pd.api.types.is_string_dtype(x.dtype) and not pd.api.types.is_object_dtype(x.dtype)


def as_numbers(x):
    """The column under test as numbers, as a user would make them of its type."""
    if isinstance(x.dtype, pd.PeriodDtype):
        x = x.dt.to_timestamp()
    if x.dtype.kind in "mM" or "date32" in str(x.dtype):
        return pd.Series(pd.to_datetime(x).astype("int64") if x.dtype.kind != "m"
                         else pd.to_timedelta(x).dt.total_seconds(), x.index)  # fmt: skip
    if holds_labels(x):
        return x.astype("str").str[1:].astype(float)
    return x.map(lambda one: np.nan if pd.isna(one) else float(one)).astype(float)


def forecast(data, fold, ahead):
    """The column of ``ahead`` dates later over that of the day before."""
    x = as_numbers(data["x"])
    by_stock = x.groupby(data["symbol"])
    score = by_stock.shift(-ahead).fillna(0.0) * 1.5 + by_stock.shift(1).fillna(0.0)
    keys = pd.MultiIndex.from_frame(data[["date", "symbol"]])
    scores = pd.Series(score.to_numpy(), keys)
    return scores[keys.get_level_values(0).isin(fold.test_dates)]


def honest(data, fold):
    return forecast(data, fold, 0)


def leaking(data, fold):
    return forecast(data, fold, 1)


def verdict_on(values, forecaster):
    return audit_forecaster(forecaster, table(values), FOLD, QUICK).verdict


@pytest.mark.parametrize("kind", KINDS)
def test_a_leak_through_a_column_of_any_type_is_found_and_its_honest_twin_is_clean(kind):
    values = typed(codes(), kind)
    assert verdict_on(values, honest) is Verdict.CLEAN
    assert verdict_on(values, leaking) is Verdict.LEAK


@pytest.mark.parametrize("start", list(LARGE.values()), ids=list(LARGE))
def test_whole_numbers_of_any_size_are_audited(start):
    values = pd.Series(codes()).astype(start.dtype) * start.dtype.type(4096) + start
    assert verdict_on(values, honest) is Verdict.CLEAN
    assert verdict_on(values, leaking) is Verdict.LEAK


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", [name for name in PERTURBATIONS if name != "truncate"])
def test_no_cell_before_the_cut_changes_and_no_column_changes_its_type(kind, way):
    """One cell in nine is missing, if the type can be."""
    values = typed(codes(), kind)
    if not kind.startswith(("sparse", "numpy:int", "numpy:uint", "numpy:bool")):
        values = values.where(np.arange(len(values)) % 9 != 4)
        assert values.isna().any()
    data = table(values)
    later = (data["date"] > DATES[30]).to_numpy()
    changed = change_rows(data, later, way, np.random.default_rng(0))
    assert changed.dtypes.equals(data.dtypes)
    pd.testing.assert_frame_equal(changed[~later], data[~later])
    dated = values.dtype.kind == "M" or "date32" in str(values.dtype) or "period" in kind
    if not dated and (way == "noise" or not holds_labels(values)):
        assert not as_numbers(changed["x"])[later].equals(as_numbers(data["x"])[later])


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64", "int64[pyarrow]"])
def test_large_whole_numbers_stay_the_same_to_the_last_digit(dtype):
    values = (pd.Series(codes()).astype("int64") + 2**62).astype(dtype)
    data = table(values)
    later = (data["date"] > DATES[30]).to_numpy()
    for way in ("noise", "missing", "flip"):
        changed = change_rows(data, later, way, np.random.default_rng(0))
        assert changed["x"][~later].tolist() == values[~later].tolist()
        new = changed["x"][later]
        assert not (new == values[later]).fillna(False).any()


@pytest.mark.parametrize("kind", ["numpy:int64", "numpy:float32", "pandas:Int8", "object:int64"])
def test_a_change_that_reaches_earlier_cells_stops_the_audit_with_the_column(kind, monkeypatch):
    """As the clipping of whole columns did; a type that changes on the way counts too."""
    values = typed(codes(), kind)
    data = table(values)
    later = (data["date"] > DATES[30]).to_numpy()

    def everywhere(column, rows, way, generator, dated):
        return changed_column(column, np.ones(len(column), dtype=bool), way, generator, dated)

    monkeypatch.setattr(rows, "changed_column", everywhere)
    with pytest.raises(RuntimeError, match=r"column '(price|x)' .*altered cells that are known"):
        change_rows(data, later, "noise", np.random.default_rng(0))
    monkeypatch.setattr(rows, "changed_column", lambda column, *_: column.astype("float64"))
    with pytest.raises(RuntimeError, match="column 'x'"):
        change_rows(data, later, "noise", np.random.default_rng(0))
