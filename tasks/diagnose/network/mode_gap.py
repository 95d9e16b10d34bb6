"""Does the same network rank better in training mode than in eval mode?"""

import copy

import numpy as np

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.network import scoring
from foldproof.tasks.diagnose.network.batch import FiniteDifferences, TestBatch, rank_ic_finding
from foldproof.tasks.diagnose.perturb.compare import spread

DRAWS = 1999
"""Draws of the null; the smallest p-value is 1 / (draws + 1)."""
TEST = DIAGNOSTICS["mode_gap"]


def mode_gap(batch: TestBatch, differences: FiniteDifferences, labels: scoring.Labels) -> Finding:
    """Mean daily rank IC in training mode, dropout off, less that in eval mode.

    Batch statistics that include later dates carry information about future returns. This is a
    leak if the module is scored in training mode; otherwise the finding informs only.

    .. warning::

        A gap has an honest cause too: running statistics that no longer fit. It is a leak only if
        perturbing later companions moves forecasts in training mode.

    Args:
        batch: The module in training mode, or with those parts in it that are when it is scored.
        differences: Results of finite perturbations in that mode.
        labels: Targets, and how many samples are scored together.

    Raises:
        ValueError: Outputs are not one number per sample.
    """
    cuts = scoring.pieces(len(batch.windows), labels.batch_size)
    in_eval = copy.deepcopy(batch.module).eval()
    training, evaluated = (
        scoring.in_batches(module, batch.windows, batch.dates, cuts, batch.seed)
        for module in (batch.module, in_eval)
    )
    gaps = (
        scoring.rank_ic_of(training, batch.dates, labels.target)
        - scoring.rank_ic_of(evaluated, batch.dates, labels.target)
    ).to_numpy()
    if np.abs(training - evaluated).max() <= batch.tolerance * spread(evaluated):
        gaps = np.zeros_like(gaps)  # rounding breaks ties differently: no gap
    if len(gaps) < max(scoring.LEAST_DATES, 4 * labels.horizon):
        reason = f"{len(gaps)} dates with a rank IC are too few for labels over {labels.horizon}"
        return unknown_finding(TEST.key, batch.stage, reason, "nothing", counts=False)
    p = above_zero(gaps, labels.horizon, batch.seed)
    if p > TEST.threshold:
        detail = "training mode ranks no better" if gaps.any() else "both modes rank alike"
    elif differences.later:
        detail = "training mode ranks better, and its forecasts move with later dates"
    else:
        detail = (
            "training mode ranks better, although no later date moves a forecast: running "
            "statistics that do not fit have this effect"
        )
    tested = (
        f"{len(gaps)} dates, labels over {labels.horizon}; one-sided Newey-West t against simulated"
        " series with the same overlap"
    )
    value = float(gaps.mean())
    return rank_ic_finding(batch, TEST.key, value, p, differences.later, tested, detail)


def above_zero(daily: np.ndarray, horizon: int, seed: int) -> float:
    """One-sided p-value of the mean of ``daily`` (D,) being above 0, valid under overlap.

    The t value with Newey-West error (lags twice the horizon) is compared with its simulated
    distribution for series of the same length: moving sums of ``horizon`` standard normals, which
    have the dependence of overlapping labels. Normal quantiles would reject too often.
    """
    if not daily.any():
        return 1.0
    draws = np.random.default_rng(seed).standard_normal((DRAWS, len(daily) + horizon))
    sums = draws.cumsum(axis=1)
    null = sums[:, horizon:] - sums[:, :-horizon]  # (DRAWS, D)
    at_least = newey_west_t(null, horizon) >= newey_west_t(daily[None], horizon)
    return float((1 + at_least.sum()) / (1 + DRAWS))


def newey_west_t(daily: np.ndarray, horizon: int) -> np.ndarray:
    """(K,) mean / standard error of the rows of ``daily`` (K, D), Bartlett weights."""
    n = daily.shape[1]
    lags = min(2 * horizon, n - 1)
    apart = daily - daily.mean(axis=1, keepdims=True)
    variance = (apart**2).sum(axis=1)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (apart[:, lag:] * apart[:, :-lag]).sum(axis=1)
    error = np.sqrt(np.maximum(variance, np.finfo(np.float64).tiny)) / n
    return daily.mean(axis=1) / error
