"""Means of daily rank ICs with intervals, for subsets of dates and for other targets."""

import numpy as np
import pandas as pd

from foldproof.tasks.statistics.mean_test import frequencies, mean_and_error


def estimates(daily: np.ndarray, horizon: int, level: float) -> pd.DataFrame:
    """Mean of each column with its own two-sided interval; columns mean, low, high.

    The interval is that of :func:`~foldproof.tasks.statistics.mean_test.mean_test`, each by itself:
    among twenty true zeros one interval excludes zero at level .95. NaN where there are too few
    dates.

    Args:
        daily: (n, N) finite rank ICs in time order. Dates between them may be left out: labels on
            both sides of a hole do not overlap, so the error is not too small.
        horizon: Dates that a label spans.
        level: Level of each interval.
    """
    from scipy.special import stdtrit

    count, columns = daily.shape
    mean = daily.mean(axis=0) if count else np.full(columns, np.nan)
    half, freedom = np.full(columns, np.nan), frequencies(count, horizon)
    if freedom:
        half = float(-stdtrit(freedom, (1 - level) / 2)) * mean_and_error(daily, horizon)[1]
    return pd.DataFrame({"rank_ic": mean, "low": mean - half, "high": mean + half})
