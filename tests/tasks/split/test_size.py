import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.split.size import Size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (252, Size(rows=252)),
        ("90D", Size(days=90)),
        ("26W", Size(days=182)),
        ("18M", Size(months=18)),
        ("5Y", Size(months=60)),
    ],
)
def test_a_size_is_rows_or_a_span_of_the_calendar(text, size):
    assert parse_size("train", text) == size
    assert size.calendar == isinstance(text, str)


@pytest.mark.parametrize(
    "bad", ["5Q", "2020", "0Y", "-1Y", "Y", "1.5Y", "5 Y", "", 2.0, True, None]
)
def test_an_invalid_size_is_an_error_that_says_what_a_size_is(bad):
    with pytest.raises(ValueError, match=r"train must be a whole number .*\"5Y\"; it is"):
        parse_size("train", bad)


@pytest.mark.parametrize("value", [0, -3])
def test_a_size_below_the_least_is_refused(value):
    with pytest.raises(ValueError, match=f"test must be at least 1 trading days; it is {value}"):
        parse_size("test", value)


@pytest.mark.parametrize("months", [-25, -12, -1, 0, 1, 3, 13])
@pytest.mark.parametrize("days", [-7, 0, 30])
def test_spans_move_dates_as_pandas_offsets_do(months, days):
    for date in pd.date_range("2019-12-20", "2020-04-02"):
        moved = Size(months=months, days=days).after(np.datetime64(date, "D"))
        assert moved == (date + pd.DateOffset(months=months) + pd.Timedelta(days=days)).date()


def test_spans_are_multiplied_before_they_are_applied():
    january = np.datetime64("2021-01-31")
    assert Size(months=1).times(2).after(january) == np.datetime64("2021-03-31")
    assert Size(months=1).plus(Size(days=1)).after(january) == np.datetime64("2021-03-01")
