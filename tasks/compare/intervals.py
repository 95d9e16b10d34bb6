"""Simultaneous intervals for the means of dependent daily series.

arch is imported inside the functions: the import takes a second, and reading a configuration does
not need it.
"""

from collections.abc import Iterator

import numpy as np

from foldproof.tasks.statistics.mean_test import dates_needed, mean_and_error

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


def check_dates(dates: int, horizon: int) -> None:
    """Raise ValueError if a mean over ``dates`` has no standard error (fewer than 4 horizons)."""
    needed = dates_needed(horizon)
    if dates < needed:
        raise ValueError(
            f"{dates} dates were scored; intervals with a horizon of {horizon} need at least "
            f"{needed}: lengthen the test blocks"
        )


def drawn_dates(daily: np.ndarray, horizon: int, *, draws: int, seed: int) -> Iterator[np.ndarray]:
    """(D,) row numbers of each draw of the stationary bootstrap (Politis & Romano 1994).

    A draw takes whole dates of ``daily`` (D, V), which keeps the dependence between columns.
    """
    from arch.bootstrap import StationaryBootstrap

    block = block_length(daily, horizon)
    bootstrap = StationaryBootstrap(block, np.arange(len(daily)), seed=seed)
    for (dates,), _ in bootstrap.bootstrap(draws):
        yield np.asarray(dates)


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

    over the draws of :func:`drawn_dates`. The error s is that of
    :func:`~foldproof.tasks.statistics.mean_test.mean_test`, computed again in every draw.
    Percentiles of the bootstrapped means alone reject a true null about twice too often under
    overlap, and a Newey-West error does so on about one year of dates
    (``python -m tests.benchmarks.comparison_size``). A constant column's interval is its value.

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
    check_dates(len(daily), horizon)
    mean, error = mean_and_error(daily, horizon)
    varies = daily.max(axis=0) > daily.min(axis=0)
    largest = np.empty((draws, len(families)))
    for row, dates in enumerate(drawn_dates(daily, horizon, draws=draws, seed=seed)):
        drawn = daily[dates]
        drawn_mean, drawn_error = mean_and_error(drawn, horizon)
        usable = drawn.max(axis=0) > drawn.min(axis=0)
        t = np.abs(drawn_mean - mean) / np.where(usable, drawn_error, np.inf)
        largest[row] = [t[family].max(initial=0.0) for family in families]
    half = np.zeros(daily.shape[1])
    for family, critical in zip(families, np.quantile(largest, level, axis=0), strict=True):
        half[family] = critical * np.where(varies, error, 0.0)[family]
    return mean - half, mean + half
