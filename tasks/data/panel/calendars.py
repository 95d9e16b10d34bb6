"""The trading dates of a table: weekends, dates of some symbols only, and the labels they cost."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from foldproof.tasks.data.rows import DataError, Rows

SHOWN = 3
"""Symbols or dates in a warning."""
FEW = 0.5
"""A date with prices of fewer of the listed symbols is named in a warning."""
THURSDAY, SATURDAY, SUNDAY = 3, 5, 6
SPAN = 1 << 32
"""More than there are day numbers: symbol * SPAN + day names a row."""
WHOLE_WEEKS = 2
"""Shifted weeks from which a symbol counts as shifted; they must be most of its weekends."""
DAILY = np.timedelta64(4, "D")
"""Longest median distance of two dates of a daily table."""


def on_trading_dates(rows: Rows, least: float) -> Rows:
    """The rows of dates on which at least ``least`` of the listed symbols have a price.

    A symbol is listed from its first row to its last. With 0 every row stays.
    """
    if not least:
        return rows
    days, shares, row = quoted(rows.frame)
    thin = shares < least
    if not thin.any():
        return rows
    kept = ~thin[row]
    warning = (
        f"dropped {int((~kept).sum())} rows on {int(thin.sum())} dates, first "
        f"{pd.Timestamp(days[thin][0]):%Y-%m-%d}, on which less than {least:.0%} of the listed "
        "symbols have a price (data.checks.min_quoted)"
    )
    return rows.with_frame(rows.frame[kept].reset_index(drop=True), [warning])


def quoted(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(D,) dates, the share of the listed symbols with a price on each, and (N,) date of a row."""
    row, days = pd.factorize(frame["date"], sort=True)
    column, symbols = pd.factorize(frame["symbol"])
    first = np.full(len(symbols), len(days))
    last = np.full(len(symbols), -1)
    np.minimum.at(first, column, row)
    np.maximum.at(last, column, row)
    change = np.bincount(first, minlength=len(days) + 1)
    listed = np.cumsum(change - np.bincount(last + 1, minlength=len(days) + 1))[:-1]
    priced = frame["price"].notna().to_numpy() if "price" in frame else np.ones(len(frame), bool)
    return np.asarray(days), np.bincount(row[priced], minlength=len(days)) / listed, row


def odd_dates(rows: Rows) -> Rows:
    """The same rows, with warnings about weekends, thin dates and tables that are not daily."""
    return rows.with_frame(rows.frame, [*weekends(rows), *thin_dates(rows), *frequency(rows)])


def weekends(rows: Rows) -> Iterator[str]:
    """Warnings about symbols with rows on Saturdays or Sundays.

    A symbol with Sundays, and without the Fridays after them, has the days of midnights east of
    Greenwich written in UTC (London: in summer only). Its closes stand a day early beside those of
    other symbols, and no test of the code can detect that.
    """
    days = rows.frame["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    weekday = (days + THURSDAY) % 7  # day 0 was a Thursday
    off = weekday >= SATURDAY
    if not off.any():
        return
    code, symbols = pd.factorize(rows.frame["symbol"], sort=True)
    early = moved(days, code, weekday == SUNDAY, 5)
    late = moved(days, code, weekday == SATURDAY, -5)
    for which, found, off_by, cause in (
        (early, "Sundays and none on the Fridays after", "early", "midnights east of Greenwich"),
        (late, "Saturdays and none on the Mondays before", "late", "evenings west of Greenwich"),
    ):
        if which.any():
            others = "" if which.all() else " beside the other symbols, which is look-ahead"
            yield (
                f"{named(symbols[which])} have rows on {found}, as {cause} in UTC do: unless these "
                f"markets trade then, their days stand one day {off_by}{others}; write local "
                "trading days"
            )
    rest = off & ~(early | late)[code]
    if rest.any():
        yield (
            f"rows on Saturdays or Sundays: {int(rest.sum())}, of "
            f"{named(symbols[np.unique(code[rest])])}, on {len(np.unique(days[rest]))} dates, "
            f"first {days[rest].astype('datetime64[D]')[0]}: remove them, or set "
            "data.checks.min_quoted if the other symbols do not trade then"
        )


def moved(days: np.ndarray, code: np.ndarray, weekend: np.ndarray, apart: int) -> np.ndarray:
    """(S,) bool: symbols whose week is shifted into the weekend.

    Args:
        days: (N,) int64 day number of each row.
        code: (N,) symbol of each row.
        weekend: (N,) bool, rows on one day of the weekend.
        apart: Days from there to the working day that a shifted week lacks.
    """
    key = code.astype(np.int64) * SPAN + days
    lacks = ~np.isin(key[weekend] + apart, key)
    inside = days[weekend] + apart <= days.max()  # a week that the data ends in says nothing
    of = code[weekend]
    lacking = np.bincount(of[lacks & inside], minlength=code.max() + 1)
    all_of = np.bincount(of[inside], minlength=code.max() + 1)
    return (lacking >= WHOLE_WEEKS) & (lacking > all_of / 2)


def named(symbols: Iterable[object]) -> str:
    """The first symbols, and how many more there are."""
    names = [str(one) for one in symbols]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def thin_dates(rows: Rows) -> Iterator[str]:
    """A warning about weekdays on which few of the listed symbols have a price."""
    days, shares, row = quoted(rows.frame)
    thin = (shares < FEW) & (pd.DatetimeIndex(days).day_of_week < SATURDAY)
    if thin.any():
        first = int(np.flatnonzero(thin)[0])
        there = rows.frame["symbol"].to_numpy()[row == first]
        yield (
            f"on {int(thin.sum())} of {len(days)} dates less than half of the listed symbols have "
            f"a price, first {pd.Timestamp(days[first]):%Y-%m-%d} ({named(np.unique(there))}): "
            "data.checks.min_quoted=0.5 drops such dates"
        )


def frequency(rows: Rows) -> Iterator[str]:
    """A warning about a table that is not daily: settings count its dates as trading days."""
    days = np.unique(rows.frame["date"].to_numpy())
    if len(days) < 3:
        return
    apart = np.median(np.diff(days))
    if apart > DAILY:
        yield (
            f"dates are {int(apart / np.timedelta64(1, 'D'))} days apart at the median: horizon, "
            "window and look-backs count these dates, not trading days"
        )


def check_horizon(dates: np.ndarray, label_end: np.ndarray, horizon: int) -> list[str]:
    """A warning if labels of the user's own end long before ``target.horizon``.

    Intervals, tests and purged halves allow for labels that overlap by ``horizon`` rows, and
    portfolios hold for as long, so labels may not reach further.

    Args:
        dates: (D,) dates of the rows.
        label_end: (D,) dates on which the labels become known; NaT beyond the data.
        horizon: Rows that a label spans, from the next close on.

    Raises:
        DataError: A label ends later than ``horizon`` rows after the next close.
    """
    known = np.flatnonzero(~np.isnat(label_end))
    if not len(known):
        return []
    spans = np.searchsorted(dates, label_end[known]) - known
    longest, row = int(spans.max()), known[spans.argmax()]
    reach = (
        f"the labels of data.columns.target end up to {longest} rows after their date "
        f"({dates[row]}: {label_end[row]})"
    )
    if longest > horizon + 1:
        raise DataError(
            f"{reach}, but target.horizon is {horizon}, so errors would be too small and "
            f"portfolios would sell too early: set target.horizon={longest - 1}"
        )
    if longest >= horizon:
        return []
    return [
        f"{reach}, but target.horizon is {horizon}: intervals are too wide and portfolios hold too "
        f"long; set target.horizon={max(1, longest - 1)}"
    ]


def lost_labels(member: np.ndarray, target: np.ndarray, label_end: np.ndarray) -> list[str]:
    """A warning with the share of labels that are missing although the symbol is still listed.

    Such a symbol has no price on the next date, or on the date on which the label ends.

    Args:
        member: (D, S) bool.
        target: (D, S) labels.
        label_end: (D,) dates on which they become known; NaT beyond the data.
    """
    days = len(member)
    last = np.where(member.any(axis=0), days - 1 - np.argmax(member[::-1], axis=0), -1)
    known = ~np.isnat(label_end)
    reach = int(known.sum())  # dates whose label ends inside the data come first
    ahead = days - reach
    listed = member[:reach] & (np.arange(reach)[:, None] + ahead <= last)
    lost = listed & np.isnan(target[:reach])
    if not lost.any():
        return []
    symbols = lost.any(axis=0).sum()
    return [
        f"{int(lost.sum())} labels of {symbols} symbols ({lost.sum() / listed.sum():.1%} of those "
        "possible) are missing, because a price is missing on the next date or at the label's end, "
        "or on more than data.fill_limit dates in between: "
        "if exchanges keep other holidays or weekends, data.checks.min_quoted=0.9 keeps common "
        "dates only"
    ]
