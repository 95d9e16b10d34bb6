"""Traced tables: the same rows in the same order for every format of dates and symbols."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose.perturb.keys import as_dates
from foldproof.tasks.diagnose.trace.tables import aligned, as_table, moves
from tests.tasks.diagnose.small import DATES, features, keyed, rows

DATA = rows()
X = features(DATA)
PLAIN = keyed(DATA, X)


def level(change):
    """X indexed (date, symbol) with the dates written in another way."""
    return X.set_axis(pd.MultiIndex.from_arrays([change(DATA["date"]), DATA["symbol"]]))


WRITTEN = {
    "on the rows": X,
    "indexed": PLAIN,
    "indexed, symbol first": PLAIN.swaplevel(),
    "with columns": X.assign(symbol=DATA["symbol"], date=DATA["date"]),
    "in another order": PLAIN.sample(frac=1, random_state=1),
    "on the rows, in another order": X.sample(frac=1, random_state=1),
    "nanoseconds": level(lambda date: date.dt.as_unit("ns")),
    "a time zone": level(lambda date: date.dt.tz_localize("Asia/Tokyo")),
    "dates of the standard library": level(lambda date: date.dt.date),
    "texts": level(lambda date: date.dt.strftime("%Y-%m-%d")),
    "periods": level(lambda date: date.dt.to_period("D")),
    "text columns": X.assign(date=DATA["date"].astype(str), symbol=DATA["symbol"]),
    "zoned columns": X.assign(date=DATA["date"].dt.tz_localize("UTC"), symbol=DATA["symbol"]),
    "categorical symbols": X.assign(date=DATA["date"], symbol=DATA["symbol"].astype("category")),
}


@pytest.mark.parametrize("table", list(WRITTEN.values()), ids=list(WRITTEN))
def test_a_table_is_the_same_for_every_index_format(table):
    found, plain = as_table(table, DATA), as_table(PLAIN, DATA)
    assert found.same_rows(plain)
    assert found.symbols.tolist() == plain.symbols.tolist()
    np.testing.assert_array_equal(found.values, plain.values)
    pd.testing.assert_series_equal(
        found.column("lagged").sort_index(),
        keyed(DATA, X["lagged"]).sort_index(),
        check_names=False,
    )


def test_some_rows_get_their_dates_from_the_index():
    some = X[DATA["symbol"] == "B"]
    found = as_table(some, DATA)
    assert set(found.symbols) == {"B"}
    assert found.dates.tolist() == DATES.to_numpy().tolist()


def test_rows_by_date_alone_have_no_symbol():
    wide = DATA.pivot(index="date", columns="symbol", values="x")
    found = as_table(wide, DATA)
    assert found.columns == tuple("ABCDEF")
    assert set(found.symbols) == {""}
    np.testing.assert_array_equal(found.values, wide.to_numpy())


@pytest.mark.parametrize(
    "value",
    [
        3.0,
        np.zeros(3),
        None,
        pd.Series([1.0], index=["mean"]),
        pd.DataFrame({"x": [1.0]}, index=pd.Index(["weights"])),
        X.set_axis(pd.MultiIndex.from_frame(DATA.assign(k=1)[["date", "symbol", "k"]])),
        pd.DataFrame({"x": range(3)}, index=pd.MultiIndex.from_product([["2020"], list("ABC")])),
    ],
)
def test_any_other_value_has_no_dates(value):
    assert as_table(value, DATA) is None


def test_a_small_result_of_a_fit_is_not_read_as_the_first_rows():
    weights = pd.DataFrame({"weight": [0.1, 0.2]})
    assert as_table(weights, DATA, fitted=True) is None
    assert as_table(X.head(60), DATA).dates[-1] == DATES[9].to_datetime64()


def test_duplicate_rows_are_refused():
    with pytest.raises(ValueError, match="there are 1 duplicates"):
        as_table(pd.concat([PLAIN, PLAIN.iloc[[7]]]), DATA)


def test_a_date_column_without_dates_is_refused():
    with pytest.raises(ValueError, match="must hold dates; it is int64"):
        as_table(X.assign(date=range(len(X)), symbol=DATA["symbol"]), DATA)


def test_any_kind_of_column_becomes_numbers():
    table = X.assign(
        sector=DATA["symbol"].astype("category"),
        name=DATA["symbol"],
        count=np.arange(len(X)),
        held=DATA["x"] > 0,
        parts=[[k % 3] for k in range(len(X))],
    )
    found = as_table(pd.concat([table, X], axis=1), DATA)
    assert found.columns[:7] == ("x", "lagged", "sector", "name", "count", "held", "parts")
    assert found.columns[7:] == ("x [7]", "lagged [8]")
    assert np.isfinite(found.values).all()
    names = found.values[:, found.columns.index("name")]
    assert len(set(zip(found.symbols, names, strict=True))) == 6
    assert len(set(found.values[:, found.columns.index("parts")])) == 3


def test_the_first_column_of_dates_is_when_a_row_becomes_known():
    ends = DATA["date"] + pd.Timedelta(days=3)
    for written in (ends, ends.dt.tz_localize("UTC"), ends.dt.strftime("%Y-%m-%d")):
        found = as_table(X.assign(label_end=written), DATA)
        assert found.columns == ("x", "lagged")
        cut = DATES[10].to_datetime64()
        assert len(found.known(cut).dates) == int((ends <= cut).sum())
        assert (found.known(cut).ends <= cut).all()
    assert len(as_table(X, DATA).known(DATES[-1].to_datetime64()).dates) == 0


def test_up_to_a_cut_includes_its_date():
    found = as_table(X, DATA).up_to(DATES[4].to_datetime64())
    assert len(found.dates) == 5 * 6


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.Series(["2020-01-02", None]), ["2020-01-02", None]),
        (pd.Series(["2020-01-02T10:00", "2020-01-03"]), ["2020-01-02T10:00", "2020-01-03"]),
        (pd.Series(["000001", "600519"]), None),
        (pd.Series(["2020-01-02", "soon"]), None),
        (pd.Series([20200102, 20200103]), None),
        (pd.Series([None, None], dtype=object), None),
        (pd.Series(["AAPL"]), None),
    ],
)
def test_only_dates_are_read_as_dates(values, expected):
    found = as_dates(values)
    if expected is None:
        assert found is None
    else:
        assert (
            found.tolist()
            == pd.to_datetime(pd.Series(expected), format="ISO8601").to_numpy(found.dtype).tolist()
        )


def test_tables_with_other_rows_and_columns_are_aligned():
    one = as_table(PLAIN.drop(columns="lagged").drop(index=(DATES[3], "B")), DATA)
    two = as_table(PLAIN.drop(columns="x").drop(index=(DATES[5], "C")), DATA)
    before, after = aligned(one, two)
    assert before.same_rows(after)
    assert before.columns == after.columns == ("x", "lagged")
    assert len(before.dates) == len(DATA)
    assert np.isnan(before.values[:, 1]).all()
    assert np.isnan(after.values[:, 0]).all()
    missing = np.isnan(before.values[:, 0])
    assert [(before.dates[missing][0], before.symbols[missing][0])] == [(DATES[3], "B")]
    assert np.isinf(moves(before, after, before)).sum() == 2 * len(DATA) - 2


def test_mixed_symbols_are_aligned():
    mixed = DATA.assign(symbol=DATA["symbol"].map(lambda s: 7 if s == "A" else s).astype(object))
    whole = as_table(keyed(mixed, X), mixed)
    some = whole.at(np.flatnonzero(whole.symbols != 7))
    before, after = aligned(whole, some)
    assert np.isnan(after.values[:, 0]).sum() == len(DATES)
    np.testing.assert_array_equal(before.values, whole.values)
