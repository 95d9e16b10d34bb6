"""Daily rank IC of scores, and an interval for its mean that stands overlapping labels."""

import numpy as np
import pandas as pd
from scipy.stats import t as student

LEAST_NAMES = 3
"""Names that a date needs to be ranked."""


def daily_rank_ic(scores: pd.Series, target: pd.Series) -> pd.Series:
    """Spearman correlation within each date of scores and target, both indexed (date, symbol).

    Ties get their mean rank; a date that orders nothing has 0; dates with fewer than three
    common finite cells are left out.
    """
    both = pd.concat([scores, target], axis=1, keys=["score", "target"], join="inner").dropna()
    counts = both.groupby(level=0)["score"].transform("size")
    both = both[counts >= LEAST_NAMES]
    ranks = both.groupby(level=0).rank()
    apart = ranks - ranks.groupby(level=0).transform("mean")
    products = pd.DataFrame(
        {
            "xy": apart["score"] * apart["target"],
            "xx": apart["score"] ** 2,
            "yy": apart["target"] ** 2,
        }
    )
    sums = products.groupby(level=0).sum()
    scale = (sums["xx"] * sums["yy"]) ** 0.5
    return (sums["xy"] / scale.where(scale > 0)).fillna(0.0)


def mean_interval(daily: np.ndarray, horizon: int, level: float = 0.95) -> tuple[float, float]:
    """Two-sided interval of the mean of a (D,) series, Newey-West with lags 2 * ``horizon``."""
    n = len(daily)
    lags = min(2 * horizon, n - 1)
    centred = daily - daily.mean()
    weights = 1 - np.arange(1, lags + 1) / (lags + 1)
    covariances = np.array([centred[k:] @ centred[: n - k] for k in range(1, lags + 1)])
    variance = max(float(centred @ centred + 2 * weights @ covariances), 0.0) / n**2
    half = student.ppf((1 + level) / 2, max(n - 1, 1)) * np.sqrt(variance)
    return float(daily.mean() - half), float(daily.mean() + half)
