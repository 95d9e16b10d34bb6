"""Samples by their date and symbol, whatever table they come in."""

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.perturb.rows import KEYS


def samples_of(samples: pd.MultiIndex | pd.DataFrame | pd.Series, name: str) -> pd.MultiIndex:
    """The (date, symbol) of each sample, in its order.

    Args:
        samples: An index with the levels date and symbol (or two unnamed levels in this order), a
            table with such an index, or a table with the columns date and symbol.
        name: What errors call it.

    Raises:
        ValueError: There is no date and symbol, or the dates cannot be compared.
    """
    date, symbol = columns_of(samples, name)
    days = checked_dates(date, f"the dates of {name}")
    return pd.MultiIndex.from_arrays([days, pd.Index(symbol)], names=KEYS)


def columns_of(
    samples: pd.MultiIndex | pd.DataFrame | pd.Series, name: str
) -> tuple[pd.Index, pd.Index]:
    """Date and symbol of each sample, as they are."""
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
        ValueError: They are no dates, have a time zone, or one is missing.
    """
    days = checked_times(dates, name)
    if days.hasnans:
        raise ValueError(f"{name} must not be missing; place {int(days.isna().argmax())} is")
    return days


def checked_times(times: pd.Index | pd.Series | np.ndarray, name: str) -> pd.DatetimeIndex:
    """``times`` as nanoseconds without a time zone; NaT stays.

    Raises:
        ValueError: They are no times, or have a time zone.
    """
    index = pd.Index(times)
    if len(index) == 0 or index.isna().all():
        return pd.DatetimeIndex(np.full(len(index), np.datetime64("NaT", "ns")))
    if not isinstance(index, pd.DatetimeIndex):
        raise ValueError(f"{name} must be datetime64; they are {index.dtype}")
    if index.tz is not None:
        raise ValueError(
            f"{name} have the time zone {index.tz}; give the exchange's own days: "
            "tz_convert to its zone, then tz_localize(None)"
        )
    return index.as_unit("ns").rename(None)


def checked_calendar(dates: pd.Index | pd.Series | np.ndarray, name: str) -> np.ndarray:
    """(D,) datetime64[ns] trading days, each once, ascending."""
    return np.unique(checked_dates(dates, name).to_numpy())


def require_unique(samples: pd.MultiIndex, name: str) -> None:
    """Raise ValueError where a date and symbol stand twice."""
    twice = samples.duplicated()
    if twice.any():
        date, symbol = samples[int(twice.argmax())]
        raise ValueError(
            f"{name} must hold each date and symbol once; {symbol} on {date:%Y-%m-%d} stands twice"
        )


def times_of(frame: pd.DataFrame, name: str) -> pd.DatetimeIndex:
    """A column of times; missing ones stay missing, a time zone stays.

    Raises:
        ValueError: There is no such column, or it holds no times.
    """
    if name not in frame:
        raise ValueError(
            f"column {name} is missing; there are {', '.join(map(str, frame.columns)) or 'none'}"
        )
    column = frame[name]
    if not column.notna().any():
        return pd.DatetimeIndex([pd.NaT] * len(column))
    if not pd.api.types.is_datetime64_any_dtype(column):
        raise ValueError(f"column {name} must hold times (datetime64); it holds {column.dtype}")
    return pd.DatetimeIndex(column).rename(None)
