"""Sessions: the days on which there are new rows, by an exchange's calendar or Monday to Friday."""

import warnings
from datetime import date, timedelta
from typing import Any

import numpy as np

DAY = timedelta(days=1)
AROUND = timedelta(days=40)
"""A calendar covers so many days around the dates asked for, more than any exchange closes."""


def sessions_after(newest: date, night: date, calendar: str | None = None) -> int:
    """Sessions after the newest row, up to and including the night; Friday to Sunday is 0.

    Args:
        newest: Date of the newest row.
        night: The night.
        calendar: Name of an exchange's calendar, such as XNYS; None for Monday to Friday, where a
            holiday counts as a session.
    """
    if night <= newest:
        return 0
    if calendar is None:
        return int(np.busday_count(newest + DAY, night + DAY))
    known = exchange(calendar, newest, night)
    return len(known.sessions_in_range(str(newest + DAY), str(night)))


def closed(night: date, calendar: str | None) -> str:
    """Why a night is not a session of its exchange, as a clause; empty if it is, or without one."""
    if calendar is None or exchange(calendar, night, night).is_session(str(night)):
        return ""
    return f"{night} is not a session of {calendar}"


def exchange(calendar: str, first: date, last: date) -> Any:
    """The calendar of an exchange around two dates."""
    import exchange_calendars

    with warnings.catch_warnings():  # its use of pandas is deprecated there
        warnings.simplefilter("ignore", DeprecationWarning)
        return exchange_calendars.get_calendar(calendar, start=first - AROUND, end=last + AROUND)


def why_no_calendar(name: str) -> str:
    """Why a calendar cannot be used; empty if it can."""
    try:
        import exchange_calendars
    except ImportError:
        return "needs the package exchange-calendars: run pip install 'foldproof[calendar]'"
    known = exchange_calendars.get_calendar_names(include_aliases=True)
    return "" if name in known else "must be a calendar of exchange-calendars, such as XNYS"
