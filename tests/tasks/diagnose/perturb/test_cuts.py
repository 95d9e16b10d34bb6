import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose.perturb.cuts import choose_cuts, choose_rows


@pytest.fixture
def long():
    """A year of two stocks: one hole of x in A, B listed and delisted once."""
    dates = pd.bdate_range("2023-01-02", "2023-12-29")
    rows = pd.DataFrame([(date, name) for date in dates for name in "AB"])
    rows.columns = pd.Index(["date", "symbol"])
    rows["x"] = 1.0
    a, b = rows["symbol"] == "A", rows["symbol"] == "B"
    rows.loc[a & rows["date"].between("2023-05-08", "2023-05-11"), "x"] = np.nan
    gone = b & ((rows["date"] < "2023-03-09") | (rows["date"] > "2023-09-18"))
    return rows[~gone].reset_index(drop=True)


@pytest.mark.parametrize("seed", range(5))
def test_cuts_include_gaps_listings_wednesdays_and_month_ends(long, seed):
    cuts = choose_cuts(long, 20, seed)
    assert len(cuts) == 20
    assert (np.diff(cuts) > np.timedelta64(0)).all()
    days = set(cuts.astype("datetime64[D]").astype(str))
    assert {"2023-05-11", "2023-05-05", "2023-03-08", "2023-09-18"} <= days
    stamps = pd.DatetimeIndex(cuts)
    assert (stamps.day_of_week == 2).sum() >= 4
    following = stamps + pd.offsets.BDay(1)
    assert (stamps.month != following.month).sum() >= 4


def test_every_date_but_the_last_can_be_a_cut(long):
    cuts = choose_cuts(long, 10_000, 0)
    assert cuts.tolist() == np.unique(long["date"].to_numpy())[:-1].tolist()


def test_cuts_depend_on_the_seed_only(long):
    assert choose_cuts(long, 9, 1).tolist() == choose_cuts(long, 9, 1).tolist()
    assert choose_cuts(long, 9, 1).tolist() != choose_cuts(long, 9, 2).tolist()


def test_rows_of_a_block():
    dates = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    rows = choose_rows(dates, range(20, 60), 6, 0)
    assert rows == sorted(set(rows))
    assert len(rows) == 6
    assert 30 in rows  # the only month end in the block
    assert all(20 <= row < 59 for row in rows)
    assert choose_rows(dates, range(58, 60), 5, 0) == [58]
    assert choose_rows(dates, range(59, 60), 5, 0) == []
