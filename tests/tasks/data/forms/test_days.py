import pandas as pd
import pytest

from foldproof.tasks.data.forms.days import PATTERNS, AmbiguousDatesError, days_of, is_text_date

DAYS = pd.to_datetime(["2020-01-02", "2020-06-15", "2020-12-31"])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_is_recognized_and_read_back(pattern: str) -> None:
    column = pd.Series(DAYS.strftime(pattern))
    way = days_of(column)
    assert way is not None
    assert way.read(column).tolist() == DAYS.tolist()
    assert eval(way.code, {"pd": pd, "c": column}).tolist() == DAYS.tolist()


@pytest.mark.parametrize(
    ("unit", "words"),
    [("s", "seconds"), ("ms", "milliseconds"), ("us", "microseconds"), ("ns", "nanoseconds")],
)
@pytest.mark.parametrize("kind", [int, str])
def test_times_since_1970_are_days(unit: str, words: str, kind: type) -> None:
    closes = DAYS + pd.Timedelta(hours=16)
    column = pd.Series((closes - pd.Timestamp(0)) // pd.Timedelta(1, unit)).astype(kind)
    way = days_of(column)
    assert way is not None
    assert way.words == f"dates are {words} since 1970"
    assert way.read(column).tolist() == DAYS.tolist()
    assert eval(way.code, {"pd": pd, "c": column}).tolist() == DAYS.tolist()


@pytest.mark.parametrize("kind", [int, float, str])
def test_day_numbers_of_a_spreadsheet_are_days(kind: type) -> None:
    column = pd.Series([43832, 43997, 44196]).astype(kind)
    way = days_of(column)
    assert way is not None
    assert way.read(column).tolist() == DAYS.tolist()


@pytest.mark.parametrize(
    "column",
    [["20200102", "20201231"], [20200102, 20201231], [20200102.0, 20201231.0], ["2020-01-02", None],
     ["2020/1/2", "2020/12/31"], ["2020-01-02T16:00:00+01:00", "2020-07-02T16:00:00+02:00"],
     list(DAYS)],
)  # fmt: skip
def test_what_a_panel_reads_needs_no_conversion(column: list[object]) -> None:
    way = days_of(pd.Series(column))
    assert way is not None
    assert way.iso


@pytest.mark.parametrize(
    "column", [["AAA", "BBB"], [12.5, 13.5], [1, 2], ["2020-13-45", "2020-01-01"], [None, None]]
)
def test_other_columns_hold_no_dates(column: list[object]) -> None:
    assert days_of(pd.Series(column)) is None


def test_day_and_month_are_told_apart_by_one_date() -> None:
    with pytest.raises(AmbiguousDatesError, match="'03/04/2020' may have the day or the month"):
        days_of(pd.Series(["03/04/2020", "05/06/2020"]))
    for text, pattern in (("13/06/2020", "%d/%m/%Y"), ("06/13/2020", "%m/%d/%Y")):
        way = days_of(pd.Series(["03/04/2020", text]))
        assert way is not None
        assert way.pattern == pattern
    same = days_of(pd.Series(["03/03/2020", "04/04/2020"]))
    assert same is not None


@pytest.mark.parametrize(
    ("text", "found"),
    [("2020-01-02", True), ("31.12.2020", True), ("20200102", True), ("01/02/2020", True),
     ("AAA", False), ("600519", False), ("3M", False), ("Close", False)],
)  # fmt: skip
def test_dates_in_a_header_are_no_tickers(text: str, found: bool) -> None:
    assert is_text_date(text) == found
