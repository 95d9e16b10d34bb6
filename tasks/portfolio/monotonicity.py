"""Whether returns rise from quantile to quantile: the test of Patton and Timmermann (2010)."""

import numpy as np

from foldproof.tasks.compare.resampling import drawn_dates
from foldproof.tasks.statistics.mean_test import ratio


def monotonic_p(quantiles: np.ndarray, horizon: int, *, draws: int, seed: int = 0) -> np.ndarray:
    r"""(N,) p-values of the hypothesis that mean returns do not rise strictly over the quantiles.

    With :math:`\hat\Delta_i` the mean difference of quantile i + 1 and i, and :math:`s_i` its
    standard deviation over draws, the statistic and its p-value are

    .. math:: J = \min_i \hat\Delta_i / s_i, \quad
        p = P\left(\min_i (\hat\Delta^*_i - \hat\Delta_i) / s_i \ge J\right)

    over draws of the stationary bootstrap (Patton & Timmermann 2010, Journal of Financial
    Economics 98, in its studentized form, which weighs a step by how well it is known). A small
    p-value shows that *every* step is upward; a large spread alone does not. The test is
    conservative where some steps are downward.

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
    drawn = np.stack([
        flat[rows].mean(axis=0) for rows in drawn_dates(flat, horizon, draws=draws, seed=seed)
    ])  # fmt: skip
    moved = drawn - mean
    spread = moved.std(axis=0)
    least = ratio(mean, spread).reshape(count, between).min(axis=1)
    lowest = ratio(moved, spread).reshape(draws, count, between).min(axis=2)
    constant = (np.abs(steps).max(axis=(1, 2)) == 0) if steps.size else np.ones(count, bool)
    return np.where(constant, np.nan, (lowest >= least).mean(axis=0))
