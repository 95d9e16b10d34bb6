"""The model confidence set: the columns that may have the highest mean."""

import numpy as np

from foldproof.tasks.compare.resampling import (
    Sample,
    check_dates,
    critical_value,
    resampled,
    sample_of,
    seed_variance,
)
from foldproof.tasks.statistics.mean_test import projections, ratio


def confidence_set(
    daily: np.ndarray, horizon: int, *, level: float, draws: int, seed: int
) -> np.ndarray:
    r"""(V,) bool: the columns that may have the highest mean (model confidence set).

    The procedure of Hansen, Lunde & Nason (2011, Econometrica 79) with the range statistic

    .. math:: \max_{i,j} |t_{ij}|, \quad t_{ij} = (\bar x_i - \bar x_j) / s_{ij}

    over the columns still in the set. While it exceeds the level quantile of its bootstrap
    distribution, the column with the largest deficit against another one is ruled out. The error
    s is that of :func:`~foldproof.tasks.statistics.mean_test.mean_test` over dates, plus that over
    seeds if there are several, computed again in every draw of dates and seeds. With one variance
    for all draws, as in the paper, the set rules out equal columns far too often on short spans: 14
    equal columns were all kept in half of the panels of 252 dates with 5-day labels instead of 95 %
    (``python -m tests.benchmarks.comparison_size``).

    Equal columns are all in the set or all out.

    Args:
        daily: (D, V) one row per date, or (N, D, V) by seed.
        horizon: Rows that a label spans.
        level: Probability that the best column is in the set.
        draws: Bootstrap draws.
        seed: Seeds the draws.

    Raises:
        ValueError: Too few dates.
    """
    days, columns = daily.shape[-2:]
    check_dates(days, horizon)
    stacked, group = np.unique(daily.reshape(-1, columns), axis=1, return_inverse=True)
    count = stacked.shape[1]
    distinct = stacked.reshape(-1, days, count)
    first, second = np.triu_indices(count, 1)

    def differences(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Mean difference of every pair of columns, and its error."""
        mean, parts = sample.daily.mean(axis=0), projections(sample.daily, horizon)
        apart = parts[:, first] - parts[:, second]
        of_dates = (apart**2).mean(axis=0) / days
        of_seeds = seed_variance(sample.by_seed[:, first] - sample.by_seed[:, second])
        return mean[first] - mean[second], np.sqrt(of_dates + of_seeds)

    mean, error = differences(sample_of(distinct))
    t = ratio(mean, error)
    drawn = np.empty((draws, len(first)))
    for row, sample in enumerate(resampled(distinct, horizon, draws=draws, seed=seed)):
        drawn_mean, drawn_error = differences(sample)
        drawn[row] = np.abs(ratio(drawn_mean - mean, drawn_error))
    kept = np.ones(count, dtype=bool)
    while kept.sum() > 1:
        pair = kept[first] & kept[second]
        if np.abs(t[pair]).max() <= critical_value(drawn[:, pair].max(axis=1), level):
            break
        deficit = np.full(count, -np.inf)
        np.maximum.at(deficit, first[pair], -t[pair])
        np.maximum.at(deficit, second[pair], t[pair])
        kept[deficit.argmax()] = False
    return kept[group.reshape(-1)]
