"""Simultaneous intervals for the means of dependent daily series."""

import numpy as np

from foldproof.tasks.compare.resampling import (
    check_dates,
    critical_value,
    mean_and_two_way_error,
    resampled,
    sample_of,
)


def simultaneous_intervals(
    daily: np.ndarray,
    families: tuple[np.ndarray, ...],
    horizon: int,
    *,
    level: float,
    draws: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Intervals for the means of all columns, jointly at ``level`` within each family.

    .. math:: \bar x_v \pm c \, s_v, \quad
        c = \text{the level quantile of } \max_v |\bar x^*_v - \bar x_v| / s^*_v

    over the draws of :func:`~foldproof.tasks.compare.resampling.resampled`: blocks of dates, and
    seeds if there are several. The error s is that of
    :func:`~foldproof.tasks.statistics.mean_test.mean_test` over dates, plus that over seeds,
    computed again in every draw.
    Percentiles of the bootstrapped means alone reject a true null about twice too often under
    overlap, and a Newey-West error does so on about one year of dates
    (``python -m tests.benchmarks.comparison_size``). A constant column's interval is its value.

    Args:
        daily: (D, V) one row per date, or (N, D, V) by seed.
        families: Columns of each family.
        horizon: Rows that a label spans.
        level: Joint level.
        draws: Bootstrap draws.
        seed: Seeds the draws.

    Returns:
        Lower and upper ends (V,).

    Raises:
        ValueError: Too few dates.
    """
    sample = sample_of(daily)
    check_dates(len(sample.daily), horizon)
    mean, error = mean_and_two_way_error(sample, horizon)
    varies = sample.daily.max(axis=0) > sample.daily.min(axis=0)
    largest = np.empty((draws, len(families)))
    for row, drawn in enumerate(resampled(daily, horizon, draws=draws, seed=seed)):
        drawn_mean, drawn_error = mean_and_two_way_error(drawn, horizon)
        usable = drawn.daily.max(axis=0) > drawn.daily.min(axis=0)
        t = np.abs(drawn_mean - mean) / np.where(usable, drawn_error, np.inf)
        largest[row] = [t[family].max(initial=0.0) for family in families]
    half = np.zeros(len(mean))
    for family, critical in zip(families, critical_value(largest, level), strict=True):
        half[family] = np.where(varies, critical * error, 0.0)[family]
    return mean - half, mean + half
