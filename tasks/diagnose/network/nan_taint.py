"""NaN taint: set later rows to missing and check which outputs turn missing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from foldproof.tasks.diagnose.findings.finding import Finding, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding, unknown_finding
from foldproof.tasks.diagnose.network.batch import ONE_DATE, STEPS, FiniteDifferences, TestBatch
from foldproof.tasks.diagnose.network.coupling import PLACES, as_numpy, some


@dataclass(frozen=True)
class Taint:
    """How many of the checked outputs turned missing, and one of them."""

    turned: int
    checked: int
    witness: Witness | None


def nan_taint(batch: TestBatch, differences: FiniteDifferences) -> Finding:
    """Set the samples dated after a cut to NaN, then the steps after a cut.

    .. warning::

        Blind to operations that skip or rank missing values. And 0 times NaN is NaN, so a mask
        that multiplies looks like dependence. Taint is a leak only if finite perturbations move
        outputs too.

    Args:
        batch: The module and its batch.
        differences: Results of finite perturbations.
    """
    before = as_numpy(batch.forward(batch.windows, batch.dates))
    everything = torch.ones(batch.windows.shape[:2], dtype=torch.bool)
    if not _poisoned(batch, before, everything).any():
        reason = "outputs are numbers even if all windows are missing: NaN leaves no trace"
        return unknown_finding("nan_taint", batch.stage, reason, "nothing", counts=False)
    if batch.one_date and differences.steps is None:
        return _within_date(batch, before)
    samples = list(_by_date(batch, before))
    steps = list(_by_step(batch, before)) if differences.steps is not None else []
    return _finding(batch, samples, steps, differences)


def _poisoned(batch: TestBatch, before: np.ndarray, rows: Tensor) -> np.ndarray:
    """Outputs (B, ...) bool that turn missing when ``rows`` (B, T) of the windows are missing."""
    mask = rows.to(batch.windows.device).view(*rows.shape, *[1] * (batch.windows.ndim - 2))
    after = as_numpy(batch.forward(batch.windows.masked_fill(mask, float("nan")), batch.dates))
    return np.isnan(after) & ~np.isnan(before)


def _by_date(batch: TestBatch, before: np.ndarray) -> Iterator[Taint]:
    """Taint of outputs dated up to each of some cuts when all later samples are missing."""
    rows = torch.ones(batch.windows.shape[:2], dtype=torch.bool)
    for cut in some(batch.dates.unique()[:-1], PLACES):
        later = (batch.dates > cut).cpu()
        turned = _poisoned(batch, before, rows & later.unsqueeze(1))
        known = ~later.numpy()
        hit = np.flatnonzero(turned.reshape(len(turned), -1).any(axis=1) & known)
        last = batch.texts[int(torch.nonzero(batch.dates == cut)[0])]
        yield Taint(len(hit), int(known.sum()), _witness(batch, last, hit))


def _by_step(batch: TestBatch, before: np.ndarray) -> Iterator[Taint]:
    """Taint of the outputs up to each of some steps when later steps of all windows are missing."""
    steps = batch.windows.shape[1]
    for last in some(torch.arange(steps - 1), STEPS).tolist():
        rows = (torch.arange(steps) > last).expand(len(batch.dates), -1)
        turned = _poisoned(batch, before, rows)[:, : last + 1]  # (B, last + 1, ...)
        hit = np.argwhere(turned.reshape(*turned.shape[:2], -1).any(axis=2))
        witness = _witness(batch, f"step {last + 1} of {steps}", hit[:, 0])
        yield Taint(len(hit), turned.shape[0] * turned.shape[1], witness)


def _witness(batch: TestBatch, cut: str, hit: np.ndarray) -> Witness | None:
    """The first sample of ``hit`` (n,), whose output turned missing; None for none."""
    if not len(hit):
        return None
    sample = int(hit[0])
    return Witness(cut, batch.texts[sample], batch.name(sample), "output turns missing")


def _within_date(batch: TestBatch, before: np.ndarray) -> Finding:
    """For a batch of one date: whether half of the samples depends on the other half at all."""
    half = torch.arange(len(batch.dates)) % 2 == 0
    turned = _poisoned(batch, before, half.unsqueeze(1).expand(batch.windows.shape[:2]))
    if len(half) < 2 or turned[~half.numpy()].any():
        return unknown_finding("nan_taint", batch.stage, ONE_DATE, "nothing", counts=False)
    others = [Taint(0, int((~half).sum()), None)]
    return _finding(batch, others, [], FiniteDifferences(later=False))


def _finding(
    batch: TestBatch, samples: list[Taint], steps: list[Taint], differences: FiniteDifferences
) -> Finding:
    """LEAK where taint and finite perturbations agree; UNKNOWN where only taint is found."""
    groups = ((samples, differences.later), (steps, bool(differences.steps)))
    hits = [(one, agrees) for group, agrees in groups for one in group if one.turned]
    leaks = any(agrees for _, agrees in hits)
    witness = next((one.witness for one, agrees in hits if agrees or not leaks), None)
    tries = [*samples, *steps]
    value = sum(one.turned for one in tries) / max(sum(one.checked for one in tries), 1)
    tested = f"{len(samples)} cuts by date and {len(steps)} by step: all later values missing"
    if hits and not leaks:
        reason = (
            "outputs turn missing when later rows are, but no finite perturbation of them moves an "
            "output: a product with 0, such as a mask, turns missing without dependence"
        )
        finding = unknown_finding(
            "nan_taint", batch.stage, reason, tested, value=value, counts=False
        )
        return replace(finding, witness=witness)
    blind = (
        "missing later rows leave no trace, yet perturbing them moves outputs: the path skips or "
        "ranks missing values"
    )
    clean = "no output turns missing when later rows are; paths that skip NaN are not covered"
    return exact_finding(
        "nan_taint", batch.stage, value, tested, leak="outputs turn missing when later rows are",
        clean=blind if differences.any else clean, witness=witness, counts=batch.counts,
    )  # fmt: skip
