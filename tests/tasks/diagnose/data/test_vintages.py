import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.data.vintages import vintages


def summary(findings):
    return [(f.verdict, f.value, f.counts) for f in findings]


NOTHING = [(Verdict.CLEAN, 0.0, True)] * 2


def test_a_later_download_of_the_same_past_is_clean(frame):
    dates = frame["date"].unique()
    old = frame[frame["date"] < dates[80]]
    new = frame[frame["date"] > dates[10]].sample(frac=1, random_state=0)
    assert summary(vintages(old, new)) == NOTHING
    nearly = new.assign(close=new["close"] * (1 + 1e-12))
    assert summary(vintages(old, nearly)) == NOTHING


def test_restatements_by_hand(frame):
    """Three cells changed, one vanished, one appeared; the newest date is not common."""
    old, new = frame[frame["date"] < frame["date"].max()].copy(), frame.copy()
    there, hole = old["x"].notna().idxmax(), old["x"].isna().idxmax()
    new.loc[[7, 30, 31], "close"] += 0.01
    new.loc[there, "x"] = np.nan
    new.loc[hole, "x"] = 0.5
    new.loc[len(new) - 1, "close"] = 99
    cells, rows = vintages(old, new)
    assert (cells.verdict, cells.value, cells.stage) == (Verdict.LEAK, 5.0, "raw data")
    assert cells.detail == "the newer vintage differs in close 3, x 2"
    assert cells.witness.column == "close"
    assert cells.witness.after - cells.witness.before == pytest.approx(0.01)
    assert (cells.witness.date, cells.witness.symbol) == (
        str(frame["date"][7].date()),
        frame["symbol"][7],
    )
    assert rows.verdict is Verdict.CLEAN


def test_rows_added_to_the_past_are_a_universe_that_was_not_known(frame):
    old = frame[frame["symbol"] != "B"]
    new = frame[frame["symbol"] != "E"]
    cells, rows = vintages(old, new)
    assert cells.verdict is Verdict.CLEAN
    assert rows.value == frame["symbol"].isin(["B", "E"]).sum()
    assert "100 rows were added" in rows.detail
    assert rows.witness.symbol == "B"


def test_prices_adjusted_for_a_later_split_are_told_from_restatements(frame):
    factor = frame["symbol"].map({"A": 0.5, "C": 0.99}).fillna(1.0)
    new = frame.assign(close=frame["close"] * factor)
    cells, rows, scaled = vintages(frame, new)
    assert summary([cells, rows]) == NOTHING
    assert (scaled.verdict, scaled.value, scaled.counts) == (Verdict.LEAK, 200.0, False)
    assert "returns are the same" in scaled.detail
    within = frame["close"].where(frame["date"] > frame["date"].unique()[50], new["close"])
    cells, rows = vintages(frame, frame.assign(close=within))
    assert (cells.verdict, cells.value) == (Verdict.LEAK, 102.0)


def test_texts_and_whole_numbers_are_compared_too():
    dates = pd.bdate_range("2024-01-01", periods=4)
    old = pd.DataFrame({"date": dates, "symbol": "A", "sector": list("xxyy"), "n": [1, 2, 3, 4]})
    new = old.assign(sector=list("xyyy"), n=[1, 2, 3, 5])
    assert vintages(old, new)[0].detail == "the newer vintage differs in sector 1, n 1"


def test_odd_tables_are_refused(frame):
    with pytest.raises(ValueError, match="no column in common"):
        vintages(frame[["date", "symbol", "x"]], frame[["date", "symbol", "close"]])
    with pytest.raises(ValueError, match="data_new 2020-06-01 to 2020-06-01"):
        vintages(frame, frame[:1].assign(date=pd.Timestamp("2020-06-01")))
    with pytest.raises(ValueError, match="data_old has 0 rows"):
        vintages(frame[:0], frame)
    with pytest.raises(ValueError, match="A on 2020-01-01 stands twice"):
        vintages(frame, pd.concat([frame, frame[:1]]))
