"""Closes of 452 stocks of the S&P 500, 2003 to 2007, from the data set of R's package huge.

The closes are those of the exchange, so a split looks like a fall by half. A split is repaired by
the two closes around it, and later closes are multiplied: a price depends on no later close.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from pandas.tseries.holiday import (
    AbstractHolidayCalendar,
    GoodFriday,
    Holiday,
    USLaborDay,
    USMartinLutherKingJr,
    USMemorialDay,
    USPresidentsDay,
    USThanksgivingDay,
    nearest_workday,
    sunday_to_monday,
)

from foldproof.tasks.data.rows import DataError, Rows
from foldproof.tasks.data.sources.portfolios import FOLDER
from foldproof.tasks.data.spec import DataSpec

FILE = Path("usr", "lib", "R", "site-library", "huge", "data", "stockdata.rda")
PLACES = (
    FOLDER / "huge" / FILE,
    "/" / FILE,
    Path("/usr/local/lib/R/site-library", *FILE.parts[4:]),
)
"""Where ``make panels`` and Debian's package r-cran-huge place the file."""
FIRST, LAST = "2003-01-02", "2007-12-31"
SPLITS: Mapping[float, float] = MappingProxyType({
    1.5: 0.04, 2.0: 0.07, 3.0: 0.07, 4.0: 0.07, 5.0: 0.14,
})  # fmt: skip
"""New shares for an old one -> largest relative distance from it of the ratio of the closes.

The rarer a fall of that size is, the wider the range: a stock that falls by 29 % is not rare
(Lexmark on 2005-10-04), one that falls by 77 % has split 5 for 1 and gained (Titanium Metals on
2004-08-27). Splits smaller than 3 for 2, such as 5 for 4, cannot be distinguished from a fall.
"""
LOWEST = 20.0
"""Lowest close, in dollars, before a split. Companies split expensive shares: below, a fall by
a third is bad news (Nvidia on 2004-08-06)."""
MERGED, MERGED_DISTANCE = tuple(range(2, 11)), 0.07
"""Old shares for a new one in a reverse split, and the largest relative distance of the ratio."""
HIGHEST = 10.0
"""Highest close, in dollars, before a reverse split, which cheap stocks make."""
LARGE = 1 / 3
"""Moves other than splits are listed if the price fell by more than this share, or rose by as much
as makes up for such a fall."""
HOLIDAYS = (
    Holiday("New Year's Day", month=1, day=1, observance=sunday_to_monday),
    USMartinLutherKingJr, USPresidentsDay, GoodFriday, USMemorialDay,
    Holiday("Independence Day", month=7, day=4, observance=nearest_workday),
    USLaborDay, USThanksgivingDay,
    Holiday("Christmas", month=12, day=25, observance=nearest_workday),
    Holiday("funeral of President Reagan", year=2004, month=6, day=11),
    Holiday("funeral of President Ford", year=2007, month=1, day=2),
)  # fmt: skip
"""Holidays of the New York Stock Exchange from 2003 to 2007."""


def load_stockdata(spec: DataSpec) -> Rows:
    """Long rows with repaired closes, and the stock's sector as its industry.

    Raises:
        DataError: The file or the package that reads it is missing, or it is another data set.
    """
    file = stockdata_file(spec.path)
    return repaired(*read_stockdata(file), str(file))


def repaired(closes: np.ndarray, symbols: np.ndarray, sectors: np.ndarray, origin: str) -> Rows:
    """Long rows of closes (D, S) on the trading days, without splits, which ``about`` lists.

    Args:
        closes: (D, S) closes in dollars.
        symbols: (S,) tickers.
        sectors: (S,) sectors.
        origin: Name of the file for messages.

    Raises:
        DataError: The days are not as many as the exchange's, or a close is not positive.
    """
    days = trading_days()
    if len(closes) != len(days):
        raise DataError(
            f"{origin}: {len(closes)} days; the data set stockdata of R's package huge has the "
            f"{len(days)} trading days from {FIRST} to {LAST}"
        )
    if not (np.isfinite(closes) & (closes > 0)).all():
        raise DataError(f"{origin}: a close is not a positive number; install huge again")
    factors = split_factors(closes)
    frame = pd.DataFrame(
        {
            "date": days.repeat(len(symbols)),
            "symbol": np.tile(symbols, len(days)),
            "price": (closes * factors.cumprod(axis=0)).ravel(),
            "industry": np.tile(sectors, len(days)),
        }
    )
    table = changes(closes, factors, days, symbols)
    text = table["date"] + " " + table["symbol"] + " " + table["closes"]
    split = table["shares"] != 1
    shares = table["shares"].map("{:.4g}".format)
    found = f"{split.sum()} splits by the closes around them, {(~split).sum()} other large moves"
    about = {
        "splits_repaired": (text + ", " + shares + " shares for 1")[split].tolist(),
        "large_moves_kept": text[~split].tolist(),
        "warnings": [f"repaired {found} kept: the report's data section lists both"],
    }
    return Rows(frame, origin, about=about)


def stockdata_file(path: str | None) -> Path:
    """The file: ``path``, or the first of ``PLACES`` that exists.

    Raises:
        DataError: There is none.
    """
    if path is not None:
        file = Path(path).expanduser()
        if not file.is_file():
            raise DataError(f"data.path: there is no file {file}; correct it, or set it to null")
        return file
    found = next((place for place in PLACES if place.is_file()), None)
    if found is None:
        raise DataError(
            "data.source 'sp500_2003' reads the file stockdata.rda of R's package huge, which is "
            "not installed: run make panels or apt-get install r-cran-huge, or set data.path"
        )
    return found


def read_stockdata(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Closes (D, S), symbols (S,) and sectors (S,) of ``stockdata.rda``.

    Raises:
        DataError: The package rdata is not installed, or the file is no such data set.
    """
    try:
        from rdata import read_rda
    except ImportError:
        raise DataError(
            f"{file}: reading it needs the package rdata, which is not installed; run "
            "pip install 'foldproof[panels]'"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Unknown encoding", UserWarning)  # of old R files
            content = read_rda(file)["stockdata"]
        closes = np.asarray(content["data"], dtype=np.float64)
        symbols, sectors, _ = np.asarray(content["info"]).reshape(3, closes.shape[1])  # by column
    except Exception as error:  # a damaged file may raise anything
        raise DataError(
            f"{file}: not the data set stockdata of R's package huge ({type(error).__name__}); "
            "install the package again"
        ) from error
    return closes, symbols.astype(str), sectors.astype(str)


def trading_days() -> pd.DatetimeIndex:
    """The days on which the New York Stock Exchange was open from ``FIRST`` to ``LAST``."""
    closed = AbstractHolidayCalendar("NYSE", [*HOLIDAYS]).holidays(FIRST, LAST)
    return pd.bdate_range(FIRST, LAST, name="date").difference(closed).as_unit("us")


def split_factors(closes: np.ndarray) -> np.ndarray:
    """New shares for an old one on each day, 1 without a split.

    A day's factor depends on its close and on the close before, so the prices
    ``closes * factors.cumprod(axis=0)`` of a day do not depend on later closes.

    Args:
        closes: (D, S) closes in dollars, positive.

    Returns:
        (D, S) factors, 1 on the first day.
    """
    factors = np.ones_like(closes)
    before, ratio = closes[:-1], closes[:-1] / closes[1:]
    for shares, distance in SPLITS.items():
        fits = (np.abs(ratio / shares - 1) <= distance) & (before >= LOWEST)
        factors[1:][fits] = shares
    nearest = np.clip(np.round(1 / ratio), MERGED[0], MERGED[-1])
    fits = (np.abs(1 / ratio / nearest - 1) <= MERGED_DISTANCE) & (before <= HIGHEST)
    factors[1:][fits] = 1 / nearest[fits]
    return factors


def changes(
    closes: np.ndarray, factors: np.ndarray, days: pd.DatetimeIndex, symbols: np.ndarray
) -> pd.DataFrame:
    """Splits, and moves beyond ``LARGE`` that are none: date, symbol, closes, shares."""
    move = closes[1:] / closes[:-1]
    row, column = np.nonzero((factors[1:] != 1) | (move < 1 - LARGE) | (move > 1 / (1 - LARGE)))
    around = zip(closes[row, column], closes[row + 1, column], strict=True)
    return pd.DataFrame(
        {
            "date": days[row + 1].strftime("%Y-%m-%d"),
            "symbol": symbols[column],
            "closes": [f"{before:.2f} to {after:.2f}" for before, after in around],
            "shares": factors[row + 1, column],
        }
    )
