"""Dates and symbols of samples and tables, read and checked."""

import re
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.perturb.rows import KEYS

ISO_DATE = r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}.*)?"
"""Texts of this form are dates."""


def samples_of(samples: pd.MultiIndex | pd.DataFrame | pd.Series, name: str) -> pd.MultiIndex:
    """The (date, symbol) of each sample, in their order.

    Args:
        samples: An index with the levels date and symbol (or two unnamed levels in this order), a
            table with such an index, or a table with the columns date and symbol.
        name: Name of the samples in error messages.

    Raises:
        ValueError: There is no date or no symbol, or the dates are not comparable.
    """
    date, symbol = columns_of(samples, name)
    days = checked_dates(date, f"the dates of {name}")
    return pd.MultiIndex.from_arrays([days, pd.Index(symbol)], names=KEYS)


def columns_of(
    samples: pd.MultiIndex | pd.DataFrame | pd.Series, name: str
) -> tuple[pd.Index, pd.Index]:
    """Date and symbol of each sample, unchecked."""
    if isinstance(samples, pd.DataFrame) and set(KEYS) <= set(samples):
        return pd.Index(samples["date"]), pd.Index(samples["symbol"])
    index = samples if isinstance(samples, pd.Index) else samples.index
    names: Sequence[Hashable] = index.names
    if set(KEYS) <= set(names):
        return index.get_level_values("date"), index.get_level_values("symbol")
    if len(names) == 2 and set(names) == {None}:
        return index.get_level_values(0), index.get_level_values(1)
    raise ValueError(
        f"{name} needs the date and symbol of each sample: an index with the levels date and "
        f"symbol, or such columns; its index has {', '.join(map(str, names))}"
    )


def checked_dates(dates: pd.Index | pd.Series | np.ndarray, name: str) -> pd.DatetimeIndex:
    """``dates`` as nanoseconds without a time zone.

    Raises:
        ValueError: They are not dates, have a time zone, or one is missing.
    """
    days = checked_times(dates, name)
    if days.hasnans:
        raise ValueError(f"{name} must not be missing; place {int(days.isna().argmax())} is")
    return days


def checked_times(times: pd.Index | pd.Series | np.ndarray, name: str) -> pd.DatetimeIndex:
    """``times`` as nanoseconds without a time zone; missing ones stay missing.

    Raises:
        ValueError: They are not times, or have a time zone.
    """
    index = pd.Index(times)
    if len(index) == 0 or index.isna().all():
        return pd.DatetimeIndex(np.full(len(index), np.datetime64("NaT", "ns")))
    if not isinstance(index, pd.DatetimeIndex):
        raise ValueError(f"{name} must be datetime64; they are {index.dtype}")
    if index.tz is not None:
        raise ValueError(
            f"{name} have the time zone {index.tz}; give dates of the exchange without one: "
            "tz_convert to its zone, then tz_localize(None)"
        )
    return index.as_unit("ns").rename(None)


def checked_calendar(dates: pd.Index | pd.Series | np.ndarray, name: str) -> np.ndarray:
    """(D,) datetime64[ns] trading days, ascending, without duplicates."""
    return np.unique(checked_dates(dates, name).to_numpy())


def require_unique(samples: pd.MultiIndex, name: str) -> None:
    """Raise ValueError if a date and symbol repeat."""
    twice = samples.duplicated()
    if twice.any():
        date, symbol = samples[int(twice.argmax())]
        raise ValueError(
            f"{name} must not repeat a date and symbol; {symbol} on {date:%Y-%m-%d} is a duplicate"
        )


def as_dates(values: pd.Series | pd.Index) -> np.ndarray | None:
    """``values`` as datetime64[us] without time zone; None unless all but missing ones are dates.

    Reads datetimes, periods and texts in ISO form.
    """
    series = pd.Series(values).reset_index(drop=True)
    if pd.api.types.is_object_dtype(series) or pd.api.types.is_string_dtype(series):
        given = series.dropna()
        if given.empty or not re.fullmatch(ISO_DATE, str(given.iloc[0])):
            return None
        parsed = pd.to_datetime(series, format="ISO8601", errors="coerce")
        series = parsed if int(parsed.notna().sum()) == len(given) else series
    if isinstance(series.dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    if not pd.api.types.is_datetime64_any_dtype(series):
        return None
    plain = series if series.dt.tz is None else series.dt.tz_localize(None)
    return plain.to_numpy().astype("datetime64[us]")
