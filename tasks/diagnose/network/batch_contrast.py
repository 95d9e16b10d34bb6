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
from foldproof.tasks.statistics.mean_test import dates_needed, mean_test

BASE = "date"
"""The composition with one date per batch, and so nothing dated later."""
OTHERS = ("shuffled", "date_block", "symbol")
"""Keys of BATCHES that mix dates; symbol only where symbols are known."""
BATCH_SIZE = 32
"""Default number of samples in a shuffled batch, and in a batch of one symbol."""
BLOCK_DATES = 5
"""Dates in a date block."""
TEST = DIAGNOSTICS["composition_contrast"]


def composition_contrast(
    batch: TestBatch, differences: FiniteDifferences, labels: Labels
) -> Finding:
    """Largest mean daily rank IC of a mixed composition, less that of batches of one date.

    Null: no composition ranks better on average. The error of each daily difference comes from low
    frequencies, which is valid under overlapping labels (``mean_test``).

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
    tested = "t tests with a low-frequency error, Bonferroni over compositions"
    apart = max(float(np.abs(one - base).max()) for one in forecasts.values())
    if apart <= batch.tolerance * spread(base):
        detail = "forecasts are the same whatever other samples are in the batch"
        return rank_ic_finding(batch, TEST.key, 0.0, 1.0, False, f"0 dates; {tested}", detail)
    daily = {name: rank_ic_of(one, batch.dates, labels.target) for name, one in forecasts.items()}
    table = np.stack([one.to_numpy() for one in daily.values()], axis=1)  # (D, C), the base first
    if len(table) < dates_needed(labels.horizon):
        reason = f"{len(table)} dates with a rank IC are too few for labels over {labels.horizon}"
        return unknown_finding(TEST.key, batch.stage, reason, "nothing", counts=False)
    p = contrast_p(table, labels.horizon)
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


def contrast_p(table: np.ndarray, horizon: int) -> float:
    """One-sided p-value of the largest contrast of ``table`` (D, C) with its first column.

    The smallest p-value of the single contrasts, times their number (Bonferroni). A contrast that
    is 0 on every date has p = 1.
    """
    contrasts = (table[:, 1:] - table[:, :1]).T
    ps = [mean_test(one, horizon, two_sided=False).p if one.any() else 1.0 for one in contrasts]
    return min(1.0, len(ps) * min(ps))
