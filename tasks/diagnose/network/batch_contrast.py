"""Do the same weights rank better on batches that mix dates than on batches of one date?"""

import numpy as np
import torch
from torch import Tensor

from foldproof.models.batches import BATCHES
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.network.batch import FiniteDifferences, TestBatch, rank_ic_finding
from foldproof.tasks.diagnose.network.scoring import Labels, in_batches, rank_ic_of
from foldproof.tasks.diagnose.perturb.compare import spread

BASE = "date"
"""The composition with one date per batch, and so nothing dated later."""
OTHERS = ("shuffled", "date_block", "symbol")
"""Keys of BATCHES that mix dates; symbol only where symbols are known."""
BATCH_SIZE = 32
"""Default number of samples in a shuffled batch, and in a batch of one symbol."""
BLOCK_DATES = 5
"""Dates in a date block, and the least number of dates permuted together."""
LEAST_BLOCKS = 8
"""Nothing is tested below this number of blocks."""
DRAWS = 1999
"""Permutations; the smallest p-value is 1 / (draws + 1)."""
TEST = DIAGNOSTICS["composition_contrast"]


def composition_contrast(
    batch: TestBatch, differences: FiniteDifferences, labels: Labels
) -> Finding:
    """Largest mean daily rank IC of a mixed composition, less that of batches of one date.

    Null: the rank ICs of a date are exchangeable between the compositions. All dates of a block
    are permuted alike, which preserves the dependence of overlapping labels and shared batches.

    .. warning::

        With few symbols per date, statistics of one date are noisy, and mixed batches rank better
        without look-ahead. It is a leak only if perturbing later dates moves forecasts.

    Args:
        batch: The module in the mode it is scored in, with windows of many dates.
        differences: Results of finite perturbations.
        labels: Targets, symbols, and the size of shuffled batches and of batches of one symbol.

    Raises:
        ValueError: Outputs are not one number per sample.
    """
    forecasts = {
        name: in_batches(batch.module, batch.windows, batch.dates, cut, batch.seed)
        for name, cut in cuts(batch, labels).items()
    }
    base = forecasts[BASE]
    tested = f"{DRAWS} permutations of the compositions by block of dates"
    apart = max(float(np.abs(one - base).max()) for one in forecasts.values())
    if apart <= batch.tolerance * spread(base):
        detail = "forecasts are the same whatever other samples are in the batch"
        return rank_ic_finding(batch, TEST.key, 0.0, 1.0, False, f"0 dates; {tested}", detail)
    daily = {name: rank_ic_of(one, batch.dates, labels.target) for name, one in forecasts.items()}
    table = np.stack([one.to_numpy() for one in daily.values()], axis=1)  # (D, C), the base first
    block = max(BLOCK_DATES, 2 * labels.horizon)
    if len(table) < LEAST_BLOCKS * block:
        reason = (
            f"{len(table)} dates with a rank IC are fewer than {LEAST_BLOCKS} blocks of {block}"
        )
        return unknown_finding(TEST.key, batch.stage, reason, "nothing", counts=False)
    p = permuted(table, block, batch.seed)
    if p > TEST.threshold:
        detail = "no composition ranks better than batches of one date"
    elif differences.later:
        detail = "batches of mixed dates rank better, and forecasts move with later dates"
    else:
        detail = "batches of mixed dates rank better, although no later date moves a forecast"
    means = {name: float(one.mean()) for name, one in daily.items()}
    detail += ": rank IC " + ", ".join(f"{name} {mean:+.3f}" for name, mean in means.items())
    value = max(mean for name, mean in means.items() if name != BASE) - means[BASE]
    tested = f"{len(table)} dates; {tested}"
    return rank_ic_finding(batch, TEST.key, value, p, differences.later, tested, detail)


def cuts(batch: TestBatch, labels: Labels) -> dict[str, list[Tensor]]:
    """Batches of every composition: positions in ``batch.windows``, on the CPU."""
    dates = batch.dates.cpu()
    owner = torch.zeros_like(dates) if labels.symbols is None else labels.symbols
    largest = int(dates.unique(return_counts=True)[1].max())
    found = {}
    for kind in (BASE, *OTHERS):
        if kind == "symbol" and labels.symbols is None:
            continue
        size = BLOCK_DATES * largest if kind == "date_block" else labels.batch_size or BATCH_SIZE
        generator = torch.Generator().manual_seed(batch.seed)
        found[kind] = BATCHES[kind].cut(torch.arange(len(dates)), dates, owner, size, generator)
    return found


def permuted(table: np.ndarray, block: int, seed: int) -> float:
    """p-value of the largest contrast of ``table`` (D, C) against its first column.

    Columns are permuted at random within each block of ``block`` rows, all rows of a block alike.
    """
    starts = np.arange(0, len(table), block)
    sums = np.add.reduceat(table, starts, axis=0)  # (K, C)
    places = np.random.default_rng(seed).random((DRAWS, *sums.shape)).argsort(axis=2)
    drawn = np.take_along_axis(sums[None], places, axis=2).sum(axis=1)  # (DRAWS, C)
    observed = sums.sum(axis=0)
    largest = (drawn[:, 1:] - drawn[:, :1]).max(axis=1)
    reached = largest >= (observed[1:] - observed[0]).max() - 1e-12
    return float((1 + reached.sum()) / (1 + DRAWS))
