"""Honest transforms that look like leaks."""

import pandas as pd

from foldproof.tasks.benchmark.honest.forecaster import honest_features


def rolling(rows: pd.DataFrame) -> pd.DataFrame:
    """Each feature against the stock's last 20 days, today included."""
    x = honest_features(rows)
    grouped = x.groupby(level=1)
    mean = grouped.transform(lambda one: one.rolling(20, min_periods=5).mean())
    sd = grouped.transform(lambda one: one.rolling(20, min_periods=5).std())
    return ((x - mean) / sd.where(sd > 1e-9)).fillna(0.0)


def exponential(rows: pd.DataFrame) -> pd.DataFrame:
    """Each feature against exponential moments up to yesterday."""
    x = honest_features(rows)
    grouped = x.groupby(level=1)
    mean = grouped.transform(lambda one: one.ewm(halflife=10).mean().shift(1))
    sd = grouped.transform(lambda one: one.ewm(halflife=10).std().shift(1))
    return ((x - mean) / sd.where(sd > 1e-9)).fillna(0.0)


def cross_section(rows: pd.DataFrame) -> pd.DataFrame:
    """Each feature against the date's other stocks."""
    x = honest_features(rows)
    by_date = x.groupby(level=0)
    return ((x - by_date.transform("mean")) / by_date.transform("std").replace(0.0, 1.0)).fillna(
        0.0
    )


def cross_rank(rows: pd.DataFrame) -> pd.DataFrame:
    """Each feature as its rank among the date's stocks."""
    return honest_features(rows).groupby(level=0).rank(pct=True) - 0.5
