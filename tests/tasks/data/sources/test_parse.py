"""Cells of every type that a table may hold, as days, symbols and numbers."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import DataError
from foldproof.tasks.data.rows import Rows
from foldproof.tasks.data.sources.parse import dates, not_numbers, parsed, symbols

DAYS = ["2020-01-02", "2020-01-03", "2020-07-06"]


def rows(**columns: object) -> Rows:
    frame = pd.DataFrame({"date": DAYS, "symbol": ["A", "B", "C"]} | columns)
    return Rows(frame, "it", written={"price": "close"})


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (pd.to_datetime(DAYS), "dates"),
        (pd.to_datetime(DAYS).tz_localize("UTC"), "dates"),
        (pd.to_datetime(["", None, "2020-01-01"]), "dates"),
        (pd.PeriodIndex(DAYS, freq="M"), "dates"),
        ([pd.Timestamp(day).date() for day in DAYS], "dates"),
        (pd.to_timedelta([1, 2, 3], unit="D"), "spans of time"),
        (np.array([1j, 2, 3]), "complex numbers"),
        (["a", "b", None], "text"),
        (pd.Categorical(["x", "y", "x"]), "text"),
        ([b"x", b"y", b"z"], "cells of type bytes"),
        ([[1], [2], [3]], "cells of type list"),
        ([{"a": 1}, {}, {}], "cells of type dict"),
        ([1, 2, 3], ""),
        ([True, False, True], ""),
        ([Decimal("1.5"), None, Decimal(2)], ""),
        (["1.5", "x", ""], ""),
        ([None, None, None], ""),
        (pd.Categorical([1, 2, 1]), ""),
    ],
)
def test_what_is_no_number_is_left_out_of_the_features_and_named(column: object, what: str) -> None:
    assert not_numbers(pd.Series(column)) == what
    if what:
        found = parsed(rows(f=column), ready=True)
        assert found.about["warnings"] == [f"left column 'f' out of the features: it holds {what}"]
        assert "f" not in found.frame


@pytest.mark.parametrize("column", [pd.to_datetime(DAYS), pd.to_timedelta([1, 2, 3], unit="D")])
@pytest.mark.parametrize("role", ["price", "volume", "target"])
def test_dates_are_no_prices(role: str, column: object) -> None:
    with pytest.raises(DataError, match=r"row 1 of it .*is not a number.*3 such rows"):
        parsed(rows(**{role: column}), ready=False)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([10000.0, 10001.0, 14593.0], ["10000", "10001", "14593"]),
        (["10000.0", "10001.0", "BRK.B"], ["10000", "10001", "BRK.B"]),
        (["000001.0", "1e5", " 7 "], ["000001", "1e5", "7"]),
        ([Decimal("10000.0"), Decimal(10001), "x"], ["10000", "10001", "x"]),
        ([1.5, 2.0, 3.0], ["1.5", "2", "3"]),
        (pd.Categorical(["AAA", "BBB", "CCC"]), ["AAA", "BBB", "CCC"]),
        (["é株", "Ø", "BRK B"], ["é株", "Ø", "BRK B"]),
    ],
)
def test_symbols_are_written_as_their_owner_writes_them(
    column: object, expected: list[str]
) -> None:
    assert symbols(rows(symbol=column)).tolist() == expected


@pytest.mark.parametrize("character", ["\u200b", "\xad", "\u202e", "\ufeff", "\x00", "\t"])
def test_an_invisible_character_in_a_symbol_is_shown(character: str) -> None:
    with pytest.raises(DataError) as error:
        symbols(rows(symbol=["A", f"B{character}B", "C"]))
    said = str(error.value)
    assert said.isprintable()
    assert f"symbol {f'B{character}B'!r} holds an invisible character" in said


def test_blanks_at_the_ends_are_dropped() -> None:
    assert symbols(rows(symbol=["A\xa0", "\tB", " C "])).tolist() == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("column", "offsets"),
    [
        (["2020-01-02T00:00-05:00", "2020-01-03T00:00-05:00", "2020-07-06T00:00-04:00"],
         "-04:00, -05:00"),
        (["2020-01-02 16:00:00-0500", "2020-01-03 16:00:00-0500", "2020-07-06 16:00:00-0400"],
         "-0400, -0500"),
        (["2020-01-02T00:00Z", "2020-01-03T00:00+09:00", "2020-07-06T00:00-04:00"],
         "+09:00, -04:00, Z"),
    ],
    ids=["midnights", "times of one zone", "midnights of several zones"],
)  # fmt: skip
def test_local_days_are_kept_where_the_offsets_allow_it(column: list[str], offsets: str) -> None:
    days, warnings = dates(rows(date=column), "date")
    assert days.dt.strftime("%Y-%m-%d").tolist() == DAYS
    assert warnings[0] == f"date: dropped the UTC offsets {offsets} and kept the local days"


@pytest.mark.parametrize(
    "second", ["2020-01-03T10:00Z", "2020-01-03", "2020-01-02T10:00-04:00"],
    ids=["another zone", "no zone", "two offsets on one day"],
)  # fmt: skip
def test_other_offsets_are_refused_with_the_row(second: str) -> None:
    column = ["2020-01-02T16:00-05:00", second, "2020-07-06T16:00-04:00"]
    with pytest.raises(DataError, match=r"row 2 of it .* has another time zone than the first row"):
        dates(rows(date=column), "date")


def test_whole_floats_are_days_too() -> None:
    days, warnings = dates(rows(date=[20200102.0, 20200103.0, 20200706.0]), "date")
    assert days.dt.strftime("%Y-%m-%d").tolist() == DAYS
    assert warnings == []
