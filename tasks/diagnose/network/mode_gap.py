"""T16: does the same network rank better in training mode than in eval mode?"""

import copy

import numpy as np

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.network.batch import FiniteDifferences, TestBatch, unknown
from foldproof.tasks.diagnose.network.scoring import Labels, in_batches, pieces, rank_ic_of
from foldproof.tasks.diagnose.perturb.compare import spread
from foldproof.tasks.statistics.mean_test import dates_needed, mean_test

TEST = DIAGNOSTICS["mode_gap"]


def mode_gap(trial: TestBatch, felt: FiniteDifferences, labels: Labels) -> Finding:
    """Mean daily rank IC in training mode, dropout off, less that in eval mode.

    Batch statistics that hold later dates can tell where the market went. That is a leak where
    the module is scored in training mode; else the finding informs only.

    .. warning::

        A gap has an honest cause, too: running statistics that no longer fit. So it is a leak
        only where finite changes of later companions move forecasts in training mode.

    Args:
        trial: The module in training mode, or with the parts in it that are when it is scored.
        felt: What finite changes have shown in that mode.
        labels: What is forecast, and how many samples are scored together.

    Raises:
        ValueError: Outputs are not one number a sample.
    """
    batches = pieces(len(trial.windows), labels.batch_size)
    evaluated_in = copy.deepcopy(trial.module).eval()
    training, evaluated = (
        in_batches(module, trial.windows, trial.dates, batches, trial.seed)
        for module in (trial.module, evaluated_in)
    )
    gaps = (
        rank_ic_of(training, trial.dates, labels.target)
        - rank_ic_of(evaluated, trial.dates, labels.target)
    ).to_numpy()
    if np.abs(training - evaluated).max() <= trial.tolerance * spread(evaluated):
        gaps = np.zeros_like(gaps)  # ties that rounding breaks are no gap
    return judged(trial, gaps, labels.horizon, felt.later)


def judged(trial: TestBatch, gaps: np.ndarray, horizon: int, later: bool) -> Finding:
    """The finding on daily gaps (D,): LEAK where they are above 0 and later dates are felt."""
    if len(gaps) < dates_needed(horizon):
        reason = f"{len(gaps)} dates with a rank IC are too few for labels over {horizon}"
        return unknown(trial, TEST.key, reason, counts=False)
    p = above_zero(gaps, horizon)
    better = p <= TEST.threshold
    leaks = better and later
    return Finding(
        test=TEST.key,
        stage=trial.stage,
        verdict=Verdict.LEAK if leaks else Verdict.CLEAN,
        evidence=f"statistical, p = {p:.2g}, level {TEST.threshold:g}",
        statistic=TEST.statistic,
        value=float(gaps.mean()),
        threshold=TEST.threshold,
        tested=f"{len(gaps)} dates, labels over {horizon}; t test with a low-frequency error, "
        "one-sided",
        detail=detail_of(gaps, better, later),
        counts=trial.counts,
        p_value=p,
    )


def detail_of(gaps: np.ndarray, better: bool, later: bool) -> str:
    """One sentence: what the gap says."""
    if better and later:
        return "training mode ranks better, and its forecasts move with later dates"
    if better:
        return (
            "training mode ranks better, though no later date is felt: running statistics that do "
            "not fit would do that"
        )
    return "training mode ranks no better" if gaps.any() else "both modes rank alike"


def above_zero(daily: np.ndarray, horizon: int) -> float:
    """One-sided p-value of a mean of ``daily`` (D,) of at most 0; 1 for a series of zeros."""
    return mean_test(daily, horizon, two_sided=False).p if daily.any() else 1.0
