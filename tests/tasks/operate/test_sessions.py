"""Sessions by an exchange's calendar, where its package is installed, and Monday to Friday."""

import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.operate.monitoring.monitor import missed_nights
from foldproof.tasks.operate.sessions import closed, sessions_after
from foldproof.tasks.operate.spec import OperationSpec

WEDNESDAY, FRIDAY, MONDAY = date(2022, 11, 23), date(2022, 11, 25), date(2022, 11, 28)
THANKSGIVING = date(2022, 11, 24)


@pytest.fixture
def exchanges() -> None:
    """Skip where the optional package is missing."""
    pytest.importorskip("exchange_calendars")


@pytest.mark.parametrize(
    ("newest", "night", "days"),
    [
        (date(2024, 5, 31), date(2024, 5, 31), 0),
        (date(2024, 5, 31), date(2024, 6, 2), 0),  # Friday to Sunday
        (date(2024, 5, 31), date(2024, 6, 3), 1),
        (date(2024, 6, 3), date(2024, 5, 31), 0),
        (WEDNESDAY, MONDAY, 3),  # over a holiday
    ],
)
def test_without_a_calendar_sessions_are_monday_to_friday(
    newest: date, night: date, days: int
) -> None:
    assert sessions_after(newest, night) == days
    assert closed(night, None) == ""


@pytest.mark.usefixtures("exchanges")
def test_a_holiday_of_the_exchange_is_no_session() -> None:
    assert sessions_after(WEDNESDAY, THANKSGIVING, "XNYS") == 0
    assert sessions_after(WEDNESDAY, MONDAY, "XNYS") == 2
    assert sessions_after(WEDNESDAY, THANKSGIVING, "XLON") == 1
    assert sessions_after(MONDAY, WEDNESDAY, "XNYS") == 0
    assert closed(THANKSGIVING, "XNYS") == "2022-11-24 is not a session of XNYS"
    assert closed(date(2022, 11, 26), "XNYS") == "2022-11-26 is not a session of XNYS"
    assert closed(FRIDAY, "XNYS") == closed(THANKSGIVING, "XLON") == ""


@pytest.mark.usefixtures("exchanges")
def test_a_holiday_after_the_newest_row_is_no_missed_night() -> None:
    dates = np.array([WEDNESDAY], "datetime64[D]")
    scores = pd.DataFrame({"date": pd.to_datetime([WEDNESDAY])})
    assert missed_nights(scores, dates, FRIDAY) == 2
    assert missed_nights(scores, dates, FRIDAY, "XNYS") == 1


@pytest.mark.usefixtures("exchanges")
def test_an_unknown_calendar_is_refused() -> None:
    assert OperationSpec(calendar="XNYS").calendar == "XNYS"
    with pytest.raises(ValueError, match=r"calendar must be a calendar of .* XNYS; it is 'NYSX'"):
        OperationSpec(calendar="NYSX")


def test_a_calendar_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(ValueError, match=r"pip install 'foldproof\[calendar\]'; it is 'XNYS'"):
        OperationSpec(calendar="XNYS")
