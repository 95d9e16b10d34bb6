import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import ChecksSpec, ColumnsSpec, TargetSpec, from_frame
from foldproof.tasks.data.panel.calendars import lost_labels, odd_dates, on_trading_dates
from foldproof.tasks.data.rows import DataError, Rows

DAYS = pd.bdate_range("2020-01-06", periods=40)
ALL_DAYS = pd.date_range(DAYS[0], DAYS[-1])
COLUMNS = ColumnsSpec(price="price")


def long(calendars: dict[str, pd.DatetimeIndex]) -> pd.DataFrame:
    """A row per symbol and date of its calendar; the price depends on date and symbol only."""
    parts = [
        pd.DataFrame({"date": days, "symbol": name, "price": 10 + k + (days - DAYS[0]).days % 7})
        for k, (name, days) in enumerate(calendars.items())
    ]
    frame = pd.concat(parts).sort_values(["date", "symbol"], ignore_index=True)
    return frame.assign(price=frame["price"].astype(float), f=np.arange(len(frame)) * 1.0)


def said(frame: pd.DataFrame) -> list[str]:
    return odd_dates(Rows(frame, "it")).about["warnings"]


def panel_of(frame: pd.DataFrame, least: float = 0.0):
    return from_frame(
        frame, COLUMNS, TargetSpec(1, "return"), features="ready", min_history=1,
        checks=ChecksSpec(max_jump=None, min_quoted=least),
    )  # fmt: skip


def labelled(span: int, horizon: int):
    """A panel whose own labels end ``span`` rows after their date."""
    frame = long(dict.fromkeys("ABC", DAYS))
    ends = pd.Series([*DAYS[span:], *[pd.NaT] * span], index=DAYS)
    frame = frame.assign(y=np.arange(len(frame)) % 7.0, end=frame["date"].map(ends))
    frame.loc[frame["end"].isna(), "y"] = np.nan
    roles = ColumnsSpec(price=None, target="y", label_end="end")
    return from_frame(
        frame.drop(columns="price"), roles, TargetSpec(horizon), features="ready", min_history=1
    )


def test_labels_of_the_users_own_that_reach_beyond_the_horizon_are_refused() -> None:
    with pytest.raises(DataError) as error:
        labelled(21, 5)
    assert str(error.value) == (
        "the labels of data.columns.target end up to 21 rows after their date (2020-01-06: "
        "2020-02-04), but target.horizon is 5, so errors would be too small and portfolios would "
        "sell too early: set target.horizon=20"
    )
    for horizon in (20, 21):  # from the next close on, or from the close of the date
        assert labelled(21, horizon).about["warnings"] == []
    (text,) = labelled(2, 5).about["warnings"]
    assert text.endswith("portfolios hold too long; set target.horizon=1")


def test_one_exchange_has_no_warnings() -> None:
    assert said(long({"A": DAYS, "B": DAYS[5:], "C": DAYS[:20]})) == []


def test_midnights_of_tokyo_in_utc_are_named_beside_new_york() -> None:
    frame = long({"NYA": DAYS, "NYB": DAYS, "TKA": DAYS - pd.Timedelta(days=1)})
    (text,) = said(frame)
    assert text.startswith("TKA have rows on Sundays and none on the Fridays after, as midnights")
    assert "one day early beside the other symbols, which is look-ahead" in text


def test_days_that_are_all_shifted_are_named() -> None:
    (early,) = said(long({"A": DAYS - pd.Timedelta(days=1)}))
    assert "their days stand one day early; write local trading days" in early
    (late,) = said(long({name: DAYS + pd.Timedelta(days=1) for name in "ABCDE"}))
    assert late.startswith("A, B, C and 2 more have rows on Saturdays and none on the")
    assert "one day late;" in late


def test_midnights_of_london_in_utc_are_shifted_in_summer_only() -> None:
    year = pd.bdate_range("2019-01-02", "2019-12-31")
    utc = year.tz_localize("Europe/London").tz_convert("UTC").tz_localize(None).normalize()
    (text,) = said(long({"NYA": year, "LSE": utc}))
    assert text.startswith("LSE have rows on Sundays and none on the Fridays after, as midnights")


def test_a_market_that_opens_on_sunday_and_trades_to_friday_is_not_shifted() -> None:
    six = ALL_DAYS[ALL_DAYS.day_of_week != 5]
    (text,) = said(long({"A": DAYS, "EURUSD": six}))
    assert text.startswith("rows on Saturdays or Sundays: 7, of EURUSD, on 7 dates, first 2020-01")


def test_crypto_beside_stocks_is_named_with_its_days() -> None:
    (text,) = said(long({"A": DAYS, "B": DAYS, "BTC": ALL_DAYS, "ETH": ALL_DAYS}))
    assert text.startswith("rows on Saturdays or Sundays: 28, of BTC, ETH, on 14 dates, first 2020")


def test_a_date_of_few_symbols_is_named() -> None:
    frame = long({"A": DAYS, "B": DAYS, "C": DAYS})
    thin = frame[(frame["date"] != DAYS[9]) | (frame["symbol"] == "B")].reset_index(drop=True)
    (text,) = said(thin)
    assert text.startswith("on 1 of 40 dates less than half of the listed symbols have a price")
    assert "first 2020-01-17 (B): data.checks.min_quoted=0.5 drops such dates" in text


def test_dropping_dates_of_some_symbols_gives_the_panel_of_the_common_calendar() -> None:
    """Crypto beside stocks: labels run from trading date to trading date, none is lost."""
    mixed = long({"A": DAYS, "B": DAYS, "BTC": ALL_DAYS})
    common = mixed[mixed["date"].isin(DAYS)].reset_index(drop=True)
    lost, kept, expected = panel_of(mixed), panel_of(mixed, 0.9), panel_of(common)
    assert np.isnan(lost.target[:-2]).mean() > 0.3
    for array in ("dates", "values", "target", "label_end", "member"):
        np.testing.assert_array_equal(getattr(kept, array), getattr(expected, array))
    assert not np.isnan(kept.target[:-2]).any()
    assert kept.about["warnings"] == [
        "dropped 14 rows on 14 dates, first 2020-01-11, on which less than 90% of the listed "
        "symbols have a price (data.checks.min_quoted)"
    ]


def test_a_symbol_counts_from_its_first_row_to_its_last() -> None:
    rows = Rows(long({"A": DAYS, "B": DAYS[20:], "C": DAYS[:20]}), "it")
    assert on_trading_dates(rows, 1.0).frame.equals(rows.frame)
    alone = Rows(long({"A": DAYS, "B": DAYS[[0, 39]]}), "it")
    assert on_trading_dates(alone, 1.0).frame["date"].unique().tolist() == [DAYS[0], DAYS[39]]
    assert on_trading_dates(alone, 0.0) is alone


def test_the_lost_labels_are_counted_by_hand() -> None:
    """A hole on date 3: the labels of dates 1 (its end) and 2 (its start) are lost, h = 1."""
    frame = long({"A": DAYS[:8], "B": DAYS[:8]})
    hole = frame[(frame["symbol"] == "A") | (frame["date"] != DAYS[3])].reset_index(drop=True)
    (text,) = panel_of(hole).about["warnings"]
    assert text.startswith("2 labels of 1 symbols (18.2% of those possible) are missing")
    assert panel_of(frame).about["warnings"] == []


def test_a_delisted_symbol_loses_no_label_by_the_calendar() -> None:
    member = np.ones((6, 2), bool)
    member[4:, 1] = False
    target = np.zeros((6, 2))
    target[2:, 1] = np.nan
    ends = np.array(["2020-01-03", "2020-01-06", "2020-01-07", "2020-01-08", "NaT", "NaT"],
                    "datetime64[D]")  # fmt: skip
    assert lost_labels(member, target, ends) == []
    target[1, 1] = np.nan
    assert lost_labels(member, target, ends)[0].startswith("1 labels of 1 symbols (16.7%")


def test_a_table_that_is_not_daily_is_named() -> None:
    frame = long({"A": pd.date_range("2019-01-31", periods=12, freq="BME")})
    assert said(frame) == [
        "dates are 31 days apart at the median: horizon, window and look-backs count these dates, "
        "not trading days"
    ]
