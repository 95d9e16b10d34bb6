"""Planted duplicates beside honest tables; the search against a double loop."""

import time

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.data import equal_rows
from foldproof.tasks.diagnose.data.duplicates import duplicates
from foldproof.tasks.diagnose.data.equal_rows import equal_row_of, scaled


@pytest.fixture
def table() -> pd.DataFrame:
    """Four features of 6 symbols on 80 days, with holes."""
    draw = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [pd.bdate_range("2024-01-01", periods=80), list("ABCDEF")], names=["date", "symbol"]
    )
    out = pd.DataFrame(draw.normal(size=(480, 4)), index, list("wxyz"))
    return out.mask(draw.random(out.shape) < 0.05)


def sides(table, row=300):
    return table.index[:row], table.index[row:]


def test_planted_duplicates_by_hand(table):
    (clean, symbols) = duplicates(table, *sides(table))
    assert (clean.verdict, clean.value, clean.witness) == (Verdict.CLEAN, 0.0, None)
    assert (symbols.verdict, symbols.counts) == (Verdict.CLEAN, False)
    full = table.index[table.notna().all(axis=1)]
    table.loc[full[-3:]] = table.loc[full[[5, 9, 9]]].to_numpy()
    table.loc[full[-1]] += 1e-9  # rounding
    (rows, _) = duplicates(table, *sides(table))
    assert (rows.verdict, rows.value) == (Verdict.LEAK, 3.0)
    (date, symbol), (day, other) = full[-3], full[5]
    assert (rows.witness.date, rows.witness.symbol) == (str(date.date()), symbol)
    assert rows.witness.column == f"as {other} on {day.date()} in training"
    assert duplicates(table, *sides(table), tolerance=0.0)[0].value == 2
    shuffled = table.sample(frac=1, random_state=0).reset_index()
    assert duplicates(shuffled, *sides(table))[0].value == 3


def test_missing_values_equal_missing_values_only(table):
    row, twin = table.index[400], table.index[10]
    table.loc[twin] = [1.5, np.nan, 0.25, 9.0]
    table.loc[row] = [1.5, 0.0, 0.25, 9.0]
    assert duplicates(table, *sides(table))[0].verdict is Verdict.CLEAN
    table.loc[row, "x"] = np.nan
    assert duplicates(table, *sides(table))[0].value == 1


@pytest.mark.parametrize("tolerance", [0.0, 1e-3, 0.3])
@pytest.mark.parametrize("chunk", [3, 10**6])
def test_the_search_agrees_with_a_double_loop(tolerance, chunk, monkeypatch):
    monkeypatch.setattr(equal_rows, "CHUNK", chunk)
    draw = np.random.default_rng(1)
    values = draw.normal(size=(400, 3)).round(1)
    values[draw.random(values.shape) < 0.1] = np.nan
    train, test = np.arange(250), np.arange(250, 400)
    found = equal_row_of(scaled(values, train, tolerance), test, train)
    unit = np.nanstd(values[train], axis=0)
    for place, row in enumerate(test):
        with np.errstate(invalid="ignore"):
            near = np.abs(values[train] - values[row]) <= tolerance * unit * (1 + 1e-9) + 1e-12
        near |= np.isnan(values[train]) & np.isnan(values[row])
        equal = set(np.flatnonzero(near.all(axis=1)))
        assert found[place] in equal if equal else found[place] == -1
    assert (found >= 0).any()
    assert (found < 0).any()


def test_rows_without_distinct_values_are_skipped(table):
    table.iloc[[3, 310, 311]] = 0.0
    table.iloc[[4, 320]] = np.nan
    (rows, _) = duplicates(table, *sides(table))
    assert rows.verdict is Verdict.CLEAN
    assert "rows skipped: 3 empty or constant" in rows.detail


def test_a_halted_symbol_is_not_a_duplicate(table):
    """A halted stock: the rows of A from day 45 to day 55, the test begins on day 50."""
    days = table.index.get_level_values("date").unique()
    halted = [(date, "A") for date in days[45:56]]
    table.loc[halted] = [1.0, 2.0, 3.0, 4.0]
    (rows, _) = duplicates(table, *sides(table))
    assert rows.verdict is Verdict.CLEAN
    assert "6 unchanged since training" in rows.detail
    table.loc[(days[70], "A")] = [1.0, 2.0, 3.0, 4.0]  # it came back to old values
    assert duplicates(table, *sides(table))[0].value == 1


def test_coarse_values_are_equal_by_chance(table):
    coarse = (table.fillna(0) > 0).astype(int)
    (rows, _) = duplicates(coarse, *sides(coarse))
    assert (rows.verdict, rows.value == rows.value) == (Verdict.UNKNOWN, False)
    partly = coarse.assign(fine=table["x"])  # where it is missing, the rest is coarse
    (rows, _) = duplicates(partly, *sides(partly))
    assert rows.verdict is Verdict.CLEAN
    assert ", 0 with common values" not in rows.detail


HONEST = {
    "one feature": lambda x: x[:, :1],
    "one feature in float32": lambda x: x[:, :1].astype(np.float32),
    "ranks of 20 stocks": lambda x: x.reshape(-1, 20, 5).argsort(axis=1).argsort(axis=1),
    "one number in three columns": lambda x: np.column_stack(
        [x[:, 0].round(2), np.abs(x[:, 0]).round(2), x[:, 0].clip(-1, 1).round(2)]
    ),
}


def market(make) -> pd.DataFrame:
    """Features of 20 stocks on 300 days; in each kind a few rows equal by chance."""
    drawn = np.random.default_rng(3).normal(size=(6000, 5))
    dates = pd.bdate_range("2020-01-01", periods=300)
    index = pd.MultiIndex.from_product([dates, range(20)], names=["date", "symbol"])
    values = np.asarray(make(drawn)).reshape(6000, -1)
    return pd.DataFrame(values, index=index).add_prefix("f")


@pytest.mark.parametrize("kind", HONEST)
def test_rows_equal_by_chance_are_not_copies(kind):
    """Among 8 million pairs of rows some are equal; a leak exceeds chance."""
    rows = market(HONEST[kind])
    (found, _) = duplicates(rows, rows.index[:4000], rows.index[4000:])
    assert found.verdict is not Verdict.LEAK
    assert ", 0 with common values" not in found.detail  # without them the test would be empty


@pytest.mark.parametrize("kind", ["all five", "three"])
def test_a_copied_day_is_reported(kind):
    rows = market(lambda x: x[:, : 5 if kind == "all five" else 3])
    rows.iloc[3000:3020] = rows.iloc[5000:5020].to_numpy()
    (found, _) = duplicates(rows, rows.index[:4000], rows.index[4000:])
    assert (found.verdict, found.value) == (Verdict.LEAK, 20)


def test_shared_samples_and_copied_training_rows_are_reported(table):
    train, test = sides(table)
    (rows, _) = duplicates(table, train.append(test[:4]), test)
    assert rows.value >= 4
    assert "4 of them under the same date and symbol" in rows.detail
    # oversampled before the split: ten copies of a row, split at random
    first = pd.DatetimeIndex(["2023-01-02"])
    keys = pd.MultiIndex.from_product([first, range(10)], names=["date", "symbol"])
    copies = table.iloc[np.repeat(0, 10)].set_axis(keys)
    both = pd.concat([table, copies])
    (rows, _) = duplicates(both, train.append(copies.index[:8]), test.append(copies.index[8:]))
    assert rows.value == 2


@pytest.mark.parametrize("noise", [0.0, 1e-8])
def test_two_listings_of_one_issuer_are_reported(table, noise):
    copy = table.xs("B", level="symbol") + noise
    copy = pd.concat({"B2": copy}, names=["symbol"]).swaplevel()
    both = pd.concat([table, copy]).sort_index()
    dates = both.index.get_level_values("date")
    middle = dates.unique()[50]
    (rows, symbols) = duplicates(both, both.index[dates < middle], both.index[dates >= middle])
    assert rows.verdict is Verdict.CLEAN
    assert (symbols.verdict, symbols.counts) == (Verdict.CLEAN, False)
    assert symbols.detail == "duplicates: B and B2"
    names = both.index.get_level_values("symbol")
    (rows, symbols) = duplicates(
        both, both.index[names.isin(list("ABC"))], both.index[names.isin(["B2", "D", "E"])]
    )
    assert (symbols.verdict, symbols.value, symbols.counts) == (Verdict.LEAK, 1.0, True)
    assert symbols.witness.symbol == "B and B2"
    assert rows.value == 80


def test_unusable_inputs_are_rejected_and_unusual_ones_pass(table):
    train, test = sides(table)
    with pytest.raises(ValueError, match=r"test needs at least one sample.* 0 are given"):
        duplicates(table, train, test[:0])
    with pytest.raises(ValueError, match="480 are given, 180 of them without"):
        duplicates(table[:300], train, table.index)
    with pytest.raises(ValueError, match="is a duplicate"):
        duplicates(pd.concat([table, table[:1]]), train, test)
    with pytest.raises(ValueError, match="there are 0 features"):
        duplicates(table[[]], train, test)
    with pytest.raises(ValueError, match="tolerance -1"):
        duplicates(table, train, test, -1)
    (rows, symbols) = duplicates(table[:2], table.index[:1], table.index[1:2])
    assert (rows.verdict, symbols.verdict) == (Verdict.CLEAN, Verdict.CLEAN)
    whole = (table.fillna(0) * 1e6).astype(int)
    assert duplicates(whole, *sides(whole))[0].verdict is Verdict.CLEAN
    one = table[["x"]]
    assert duplicates(one, *sides(one))[0].verdict is Verdict.CLEAN
    empty = table * np.nan
    assert duplicates(empty, *sides(empty))[0].verdict is Verdict.UNKNOWN


def test_too_wide_a_tolerance_is_rejected():
    values = np.random.default_rng(0).normal(size=(40_000, 1))
    rows = np.arange(40_000)
    with pytest.raises(ValueError, match=r"a tolerance of 9 sd leaves 4e.08 pairs"):
        equal_row_of(scaled(values, rows[:20_000], 9.0), rows[20_000:], rows[:20_000])


@pytest.mark.slow
def test_a_million_rows_take_seconds():
    draw = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [pd.bdate_range("2000-01-03", periods=2000), range(500)], names=["date", "symbol"]
    )
    table = pd.DataFrame(draw.normal(size=(1_000_000, 20)), index)
    table.iloc[-5:] = table.iloc[:5].to_numpy()
    start = time.perf_counter()
    (rows, _) = duplicates(table, index[:800_000], index[800_000:])
    assert rows.value == 5
    assert time.perf_counter() - start < 60
