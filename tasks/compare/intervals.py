"""Simultaneous intervals for the means of dependent daily series.

arch is imported inside the functions: the import takes a second, and reading a configuration does
not need it.
"""

import numpy as np

from foldproof.tasks.statistics.mean_test import LEAST_DATES, hac_error, lags_for

LEAST_BLOCKS = 4
"""At least this many blocks must fit into the series."""


def block_length(daily: np.ndarray, horizon: int) -> int:
    """Mean block of the stationary bootstrap of ``daily`` (D, V).

    The larger of twice the horizon and the longest optimal length of a column (Politis & White
    2004), but at most a quarter of the series.
    """
    from arch.bootstrap import optimal_block_length

    varies = daily.max(axis=0) > daily.min(axis=0)
    optimal = optimal_block_length(daily[:, varies])["stationary"] if varies.any() else [1.0]
    wanted = max(2 * horizon, int(np.ceil(np.max(optimal))))
    return max(1, min(wanted, len(daily) // LEAST_BLOCKS))


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

    over draws of a stationary bootstrap of whole dates (Politis & Romano 1994), which keeps the
    dependence between columns; s is the Newey-West error, computed again in every draw.
    Percentiles of the bootstrapped means alone reject a true null about twice too often under
    overlap. The interval of a constant column is its value.

    .. warning::

        On about one year of dates the intervals are too narrow: they miss more often than
        1 - ``level``.

    Args:
        daily: (D, V) one row per date.
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
    from arch.bootstrap import StationaryBootstrap

    n = len(daily)
    if n < LEAST_DATES:
        raise ValueError(
            f"{n} dates were scored; intervals need at least {LEAST_DATES}: "
            "lengthen the test blocks"
        )
    lags = lags_for(n, horizon)
    mean, error = daily.mean(axis=0), hac_error(daily, lags)
    varies = daily.max(axis=0) > daily.min(axis=0)
    largest = np.empty((draws, len(families)))
    bootstrap = StationaryBootstrap(block_length(daily, horizon), np.arange(n), seed=seed)
    for row, ((dates,), _) in enumerate(bootstrap.bootstrap(draws)):
        drawn = daily[dates]
        drawn_error = hac_error(drawn, lags)
        usable = varies & (drawn_error > 0)
        t = np.abs(drawn.mean(axis=0) - mean) / np.where(usable, drawn_error, np.inf)
        largest[row] = [t[family].max(initial=0.0) for family in families]
    half = np.zeros(daily.shape[1])
    for family, critical in zip(families, np.quantile(largest, level, axis=0), strict=True):
        half[family] = critical * np.where(varies, error, 0.0)[family]
    return mean - half, mean + half
