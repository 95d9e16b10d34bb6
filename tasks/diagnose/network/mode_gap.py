"""Does the same network rank better in training mode than in eval mode?"""

import copy
from dataclasses import replace

import numpy as np

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.findings.verdicts import statistical_finding, unknown_finding
from foldproof.tasks.diagnose.network.batch import FiniteDifferences, TestBatch
from foldproof.tasks.diagnose.network.scoring import Labels, in_batches, pieces, rank_ic_of
from foldproof.tasks.diagnose.perturb.compare import spread
from foldproof.tasks.statistics.mean_test import dates_needed, mean_test

TEST = DIAGNOSTICS["mode_gap"]


def mode_gap(batch: TestBatch, differences: FiniteDifferences, labels: Labels) -> Finding:
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
    cuts = pieces(len(batch.windows), labels.batch_size)
    in_eval = copy.deepcopy(batch.module).eval()
    training, evaluated = (
        in_batches(module, batch.windows, batch.dates, cuts, batch.seed)
        for module in (batch.module, in_eval)
    )
    gaps = (
        rank_ic_of(training, batch.dates, labels.target)
        - rank_ic_of(evaluated, batch.dates, labels.target)
    ).to_numpy()
    if np.abs(training - evaluated).max() <= batch.tolerance * spread(evaluated):
        gaps = np.zeros_like(gaps)  # rounding breaks ties differently: no gap
    return _finding(batch, gaps, labels.horizon, differences.later)


def _finding(batch: TestBatch, gaps: np.ndarray, horizon: int, later: bool) -> Finding:
    """LEAK where the daily gaps (D,) are above 0 and later dates move forecasts."""
    if len(gaps) < dates_needed(horizon):
        reason = f"{len(gaps)} dates with a rank IC are too few for labels over {horizon}"
        return unknown_finding(TEST.key, batch.stage, reason, "nothing", counts=False)
    p = above_zero(gaps, horizon)
    better = p <= TEST.threshold
    if better and later:
        detail = "training mode ranks better, and its forecasts move with later dates"
    elif better:
        detail = (
            "training mode ranks better, although no later date moves a forecast: running "
            "statistics that do not fit have this effect"
        )
    else:
        detail = "training mode ranks no better" if gaps.any() else "both modes rank alike"
    tested = (
        f"{len(gaps)} dates, labels over {horizon}; one-sided t test with a low-frequency error"
    )
    finding = statistical_finding(
        TEST.key, batch.stage, float(gaps.mean()), p, TEST.threshold, tested, detail
    )
    verdict = finding.verdict if later else Verdict.CLEAN
    return replace(finding, verdict=verdict, counts=batch.counts)


def above_zero(daily: np.ndarray, horizon: int) -> float:
    """One-sided p-value of a mean of ``daily`` (D,) of at most 0; 1 for a series of zeros."""
    return mean_test(daily, horizon, two_sided=False).p if daily.any() else 1.0
