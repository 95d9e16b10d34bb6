"""T17: do the same weights rank better when batches are composed otherwise than by date?"""

import numpy as np
import torch
from torch import Tensor

from foldproof.models.batches import BATCHES
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.network.batch import FiniteDifferences, TestBatch, unknown
from foldproof.tasks.diagnose.network.scoring import Labels, in_batches, rank_ic_of
from foldproof.tasks.diagnose.perturb.compare import spread
from foldproof.tasks.statistics.mean_test import dates_needed, mean_test

BASE = "date"
"""The composition that holds one date at a time, and so nothing dated later."""
OTHERS = ("shuffled", "date_block", "symbol")
"""Keys of BATCHES that mix dates; symbol where symbols are known."""
BATCH_SIZE = 32
"""Samples of a shuffled batch, and of one of a single symbol, where it is not said."""
BLOCK_DATES = 5
"""Dates in a date block."""
TEST = DIAGNOSTICS["composition_contrast"]


def composition_contrast(trial: TestBatch, felt: FiniteDifferences, labels: Labels) -> Finding:
    """Largest mean daily rank IC of a composition, less that of batches of one date.

    Null: no composition ranks better on average. The error of each daily difference comes from low
    frequencies, which is valid under overlapping labels (``mean_test``).

    .. warning::

        Few symbols a date make statistics of one date poor, and mixed batches better without
        looking ahead. So it is a leak only where later dates are known to move forecasts.

    Args:
        trial: The module in the mode to score in, with windows of many dates.
        felt: What finite changes have shown.
        labels: What is forecast, of whom, and how many samples shuffled batches hold, and those of
            one symbol.

    Raises:
        ValueError: Outputs are not one number a sample.
    """
    forecasts = {name: scored(trial, cut) for name, cut in cuts(trial, labels).items()}
    base = forecasts[BASE]
    apart = max(float(np.abs(one - base).max()) for one in forecasts.values())
    if apart <= trial.tolerance * spread(base):
        return judged(trial, {}, 0, 1.0, "forecasts are the same whoever shares the batch")
    daily = {name: rank_ic_of(one, trial.dates, labels.target) for name, one in forecasts.items()}
    table = np.stack([one.to_numpy() for one in daily.values()], axis=1)  # (D, C), the base first
    if len(table) < dates_needed(labels.horizon):
        reason = f"{len(table)} dates with a rank IC are too few for labels over {labels.horizon}"
        return unknown(trial, TEST.key, reason, counts=False)
    p = contrast_p(table, labels.horizon)
    means = {name: float(one.mean()) for name, one in daily.items()}
    if p > TEST.threshold:
        detail = "no composition ranks better than batches of one date"
    elif felt.later:
        detail = "mixed dates rank better, and forecasts move with later dates"
    else:
        detail = "mixed dates rank better, though no later date is felt"
    return judged(trial, means, len(table), p, detail, felt.later)


def cuts(trial: TestBatch, labels: Labels) -> dict[str, list[Tensor]]:
    """Batches of every composition: places in the trial's windows, on the CPU."""
    dates = trial.dates.cpu()
    owner = torch.zeros_like(dates) if labels.symbols is None else labels.symbols
    largest = int(dates.unique(return_counts=True)[1].max())
    found = {}
    for kind in (BASE, *OTHERS):
        if kind == "symbol" and labels.symbols is None:
            continue
        size = BLOCK_DATES * largest if kind == "date_block" else labels.batch_size or BATCH_SIZE
        generator = torch.Generator().manual_seed(trial.seed)
        found[kind] = BATCHES[kind].cut(torch.arange(len(dates)), dates, owner, size, generator)
    return found


def scored(trial: TestBatch, batches: list[Tensor]) -> np.ndarray:
    """(B,) forecasts in those batches."""
    return in_batches(trial.module, trial.windows, trial.dates, batches, trial.seed)


def contrast_p(table: np.ndarray, horizon: int) -> float:
    """One-sided p-value of the largest contrast of ``table`` (D, C) with its first column.

    The smallest p-value of the single contrasts, times their number (Bonferroni). A contrast that
    is 0 on every date has p = 1.
    """
    contrasts = (table[:, 1:] - table[:, :1]).T
    ps = [mean_test(one, horizon, two_sided=False).p if one.any() else 1.0 for one in contrasts]
    return min(1.0, len(ps) * min(ps))


def judged(
    trial: TestBatch,
    means: dict[str, float],
    dates: int,
    p: float,
    detail: str,
    later: bool = False,
) -> Finding:
    """The finding: LEAK where mixed dates rank better and later dates are felt."""
    best = max((name for name in means if name != BASE), key=lambda name: means[name], default="")
    figures = ", ".join(f"{name} {mean:+.3f}" for name, mean in means.items())
    return Finding(
        test=TEST.key,
        stage=trial.stage,
        verdict=Verdict.LEAK if p <= TEST.threshold and later else Verdict.CLEAN,
        evidence=f"statistical, p = {p:.2g}, level {TEST.threshold:g}",
        statistic=TEST.statistic,
        value=means[best] - means[BASE] if best else 0.0,
        threshold=TEST.threshold,
        tested=f"{dates} dates; t tests with a low-frequency error, Bonferroni over compositions",
        detail=detail + (f": rank IC {figures}" if figures else ""),
        counts=trial.counts,
        p_value=p,
    )
