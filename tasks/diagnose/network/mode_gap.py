"""Does the same network rank better in training mode than in eval mode?"""

import copy

import numpy as np

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.network import scoring
from foldproof.tasks.diagnose.network.batch import FiniteDifferences, TestBatch, rank_ic_finding
from foldproof.tasks.diagnose.perturb.compare import spread
from foldproof.tasks.statistics.mean_test import dates_needed, mean_test

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
    if len(gaps) < dates_needed(labels.horizon):
        reason = f"{len(gaps)} dates with a rank IC are too few for labels over {labels.horizon}"
        return unknown_finding(TEST.key, batch.stage, reason, "nothing", counts=False)
    p = above_zero(gaps, labels.horizon)
    if p > TEST.threshold:
        detail = "training mode ranks no better" if gaps.any() else "both modes rank equally well"
    elif differences.later:
        detail = "training mode ranks better, and its forecasts move with later dates"
    else:
        detail = (
            "training mode ranks better, although no later date moves a forecast: running "
            "statistics that do not fit have this effect"
        )
    tested = (
        f"{len(gaps)} dates, labels over {labels.horizon}; one-sided t test with a low-frequency"
        " error"
    )
    value = float(gaps.mean())
    return rank_ic_finding(batch, TEST.key, value, p, differences.later, tested, detail)


def above_zero(daily: np.ndarray, horizon: int) -> float:
    """One-sided p-value of a mean of ``daily`` (D,) of at most 0; 1 for a series of zeros."""
    return mean_test(daily, horizon, two_sided=False).p if daily.any() else 1.0
