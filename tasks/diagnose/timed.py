"""Columns of times."""

import pandas as pd


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
