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

BASE = "date"
"""The composition that holds one date at a time, and so nothing dated later."""
OTHERS = ("shuffled", "date_block", "symbol")
"""Keys of BATCHES that mix dates; symbol where symbols are known."""
BATCH_SIZE = 32
"""Samples of a shuffled batch, and of one of a single symbol, where it is not said."""
BLOCK_DATES = 5
"""Dates that a date block holds, and dates that labels are permuted over together, at least."""
LEAST_BLOCKS = 8
"""Such blocks below which nothing is tested."""
DRAWS = 1999
"""Permutations; the smallest p-value is 1 / (draws + 1)."""
TEST = DIAGNOSTICS["composition_contrast"]


def composition_contrast(trial: TestBatch, felt: FiniteDifferences, labels: Labels) -> Finding:
    """Largest mean daily rank IC of a composition, less that of batches of one date.

    Null: a date's rank ICs could change places between the compositions. Blocks of dates keep
    theirs together, so that overlapping labels and shared batches stay as they are.

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
    block = max(BLOCK_DATES, 2 * labels.horizon)
    if len(table) < LEAST_BLOCKS * block:
        reason = (
            f"{len(table)} dates with a rank IC are fewer than {LEAST_BLOCKS} blocks of {block}"
        )
        return unknown(trial, TEST.key, reason, counts=False)
    p = permuted(table, block, trial.seed)
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


def permuted(table: np.ndarray, block: int, seed: int) -> float:
    """p-value of the largest contrast of ``table`` (D, C) against its first column.

    Columns change places at random within each block of ``block`` rows, all rows of a block alike.
    """
    starts = np.arange(0, len(table), block)
    sums = np.add.reduceat(table, starts, axis=0)  # (K, C)
    places = np.random.default_rng(seed).random((DRAWS, *sums.shape)).argsort(axis=2)
    drawn = np.take_along_axis(sums[None], places, axis=2).sum(axis=1)  # (DRAWS, C)
    observed = sums.sum(axis=0)
    largest = (drawn[:, 1:] - drawn[:, :1]).max(axis=1)
    reached = largest >= (observed[1:] - observed[0]).max() - 1e-12
    return float((1 + reached.sum()) / (1 + DRAWS))


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
        tested=f"{dates} dates; {DRAWS} permutations of compositions by block of dates",
        detail=detail + (f": rank IC {figures}" if figures else ""),
        counts=trial.counts,
        p_value=p,
    )
