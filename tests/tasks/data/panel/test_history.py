from datetime import date

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import ColumnsSpec, DataError, TargetSpec, from_frame
from foldproof.tasks.data.panel.history import as_known, between, with_history
from foldproof.tasks.data.rows import Rows

DAYS = pd.bdate_range("2020-01-06", periods=10)


def rows_of(known: list[str], symbol: str = "A") -> Rows:
    frame = pd.DataFrame({
        "date": DAYS[: len(known)], "symbol": symbol, "price": 1.0 + np.arange(len(known)),
        "known": pd.to_datetime(known),
    })  # fmt: skip
    return Rows(frame, "test")


def test_known_at_once_changes_nothing() -> None:
    rows = rows_of([str(day) for day in DAYS])
    out = as_known(rows)
    pd.testing.assert_frame_equal(out.frame, rows.frame.drop(columns="known"))
    assert out.about["warnings"] == []


def test_known_early_never_moves_a_row_back() -> None:
    out = as_known(rows_of(["2019-01-01"] * 10)).frame
    assert out["date"].tolist() == DAYS.tolist()


def test_known_the_next_day_shifts_every_row_by_one() -> None:
    """The last row becomes known beyond the calendar and is gone."""
    out = as_known(rows_of([str(day + pd.Timedelta(days=1)) for day in DAYS])).frame
    # Friday's row is known on Saturday: it counts from Monday on
    assert out["date"].tolist() == DAYS[1:].tolist()
    assert out["price"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_of_two_rows_on_a_date_the_one_with_the_later_date_is_kept() -> None:
    known = [str(day) for day in DAYS]
    known[2] = known[5]
    out = as_known(rows_of(known))
    assert out.frame["price"].tolist() == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert "1 rows became known after" in out.about["warnings"][0]
    assert "1 of them were replaced by a newer row" in out.about["warnings"][0]


def test_a_target_stays_on_its_own_date() -> None:
    rows = rows_of([str(day + pd.Timedelta(days=1)) for day in DAYS])
    labelled = rows.frame.assign(target=np.arange(10.0), label_end=DAYS + pd.Timedelta(days=30))
    out = as_known(rows.with_frame(labelled)).frame
    assert out["price"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert out["target"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_nothing_is_used_before_it_was_known() -> None:
    """A feature jumps in the panel on the first trading date on or after its knowledge time."""
    frame = pd.DataFrame({
        "date": np.repeat(DAYS, 2), "symbol": ["A", "B"] * 10, "close": 1.0 + np.arange(20) % 7,
        "f": [0.0] * 4 + [9.0] * 16,
        "known": np.repeat(DAYS, 2) + pd.Timedelta(days=2),
    })  # fmt: skip
    columns = ColumnsSpec(known="known", features=("f",))
    panel = from_frame(
        frame, columns, TargetSpec(1, "return"), min_history=1, features="ready", fill_limit=0
    )
    first = panel.dates[(panel.values[:, 0, 0] == 9).argmax()]
    assert first == np.datetime64("2020-01-10")  # of Wednesday 8th, known on Friday 10th


def test_dates_are_kept_on_both_ends() -> None:
    out = between(rows_of([str(day) for day in DAYS]), date(2020, 1, 7), date(2020, 1, 9))
    assert out.frame["date"].tolist() == DAYS[1:4].tolist()


def test_short_symbols_are_dropped_and_counted() -> None:
    long = rows_of([str(day) for day in DAYS]).frame
    short = rows_of([str(day) for day in DAYS[:3]], "B").frame
    long.loc[9, "price"] = np.nan  # a row without a price is not an observation
    rows = Rows(pd.concat([long, short], ignore_index=True), "test")
    out = with_history(rows, 9)
    assert set(out.frame["symbol"]) == {"A"}
    assert out.about["warnings"] == ["dropped 1 symbols with fewer than 9 observed rows: B"]
    with pytest.raises(DataError, match="none of 2 symbols has 10 observed rows"):
        with_history(rows, 10)
