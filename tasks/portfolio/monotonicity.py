"""Whether returns rise from quantile to quantile: the test of Patton and Timmermann (2010)."""

import numpy as np

from foldproof.tasks.compare.resampling import drawn_dates


def monotonic_p(quantiles: np.ndarray, horizon: int, *, draws: int, seed: int = 0) -> np.ndarray:
    r"""(N,) p-values of the hypothesis that mean returns do not rise strictly over the quantiles.

    With :math:`\Delta_i` the mean difference of quantile i + 1 and i, the statistic is

    .. math:: J = \min_i \hat\Delta_i, \quad
        p = P\left(\min_i (\hat\Delta^*_i - \hat\Delta_i) \ge J\right)

    over draws of the stationary bootstrap (Patton & Timmermann 2010, Journal of Financial
    Economics 98, equations 6 to 11). A small p-value shows that *every* step is upward; a large
    spread alone does not. The test is conservative where some steps are downward.

    Args:
        quantiles: (N, Q, D) daily returns of the quantile portfolios of N forecasts, the lowest
            quantile first.
        horizon: Days that a tranche is held; blocks are at least twice as long.
        draws: Bootstrap draws, the same for all forecasts.
        seed: Seeds the draws.

    Returns:
        NaN where all quantiles are equal.
    """
    steps = np.diff(quantiles, axis=1)
    count, between, days = steps.shape
    flat = steps.reshape(-1, days).T
    mean = flat.mean(axis=0)
    least = mean.reshape(count, between).min(axis=1)
    above = np.zeros(count)
    for rows in drawn_dates(flat, horizon, draws=draws, seed=seed):
        moved = flat[rows].mean(axis=0) - mean
        above += moved.reshape(count, between).min(axis=1) >= least
    constant = (np.abs(steps).max(axis=(1, 2)) == 0) if steps.size else np.ones(count, bool)
    return np.where(constant, np.nan, above / draws)
