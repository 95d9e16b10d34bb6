"""T5: later rows are made missing; which outputs turn missing with them?"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.network.batch import (
    ONE_DATE,
    STEPS,
    FiniteDifferences,
    TestBatch,
    unknown,
)
from foldproof.tasks.diagnose.network.coupling import PLACES, plain, some

TEST = DIAGNOSTICS["nan_taint"]


@dataclass(frozen=True)
class Taint:
    """Outputs that turned missing: how many of how many, and one of them."""

    turned: int
    watched: int
    witness: Witness | None


def nan_taint(trial: TestBatch, felt: FiniteDifferences) -> Finding:
    """Poison the samples dated after a cut, then the steps after a cut.

    .. warning::

        Blind where missing values are skipped or ranked. And 0 times NaN is NaN: a mask that
        multiplies looks like dependence. So it is a leak only where finite changes are felt, too.

    Args:
        trial: The module and its batch.
        felt: What finite changes have shown.
    """
    before = plain(trial.forward(trial.windows, trial.dates))
    everything = torch.ones(trial.windows.shape[:2], dtype=torch.bool)
    if not poisoned(trial, before, everything).any():
        reason = "outputs are numbers even where all windows are missing: NaN leaves no trace"
        return unknown(trial, TEST.key, reason, counts=False)
    if trial.one_date and felt.steps is None:
        return within_date(trial, before)
    samples = list(by_date(trial, before))
    steps = list(by_step(trial, before)) if felt.steps is not None else []
    return judged(trial, samples, steps, felt)


def poisoned(trial: TestBatch, before: np.ndarray, rows: Tensor) -> np.ndarray:
    """Outputs (B, ...) bool that turn missing when ``rows`` (B, T) of the windows are."""
    mask = rows.to(trial.windows.device).view(*rows.shape, *[1] * (trial.windows.ndim - 2))
    after = plain(trial.forward(trial.windows.masked_fill(mask, float("nan")), trial.dates))
    return np.isnan(after) & ~np.isnan(before)


def by_date(trial: TestBatch, before: np.ndarray) -> Iterator[Taint]:
    """Samples dated after each of some dates are missing: outputs dated up to it."""
    rows = torch.ones(trial.windows.shape[:2], dtype=torch.bool)
    for cut in some(trial.dates.unique()[:-1], PLACES):
        later = (trial.dates > cut).cpu()
        turned = poisoned(trial, before, rows & later.unsqueeze(1))
        known = ~later.numpy()
        hit = np.flatnonzero(turned.reshape(len(turned), -1).any(axis=1) & known)
        last = trial.texts[int(torch.nonzero(trial.dates == cut)[0])]
        witness = tainted(trial, last, int(hit[0])) if len(hit) else None
        yield Taint(len(hit), int(known.sum()), witness)


def by_step(trial: TestBatch, before: np.ndarray) -> Iterator[Taint]:
    """Steps after each of some steps are missing in all windows: outputs of steps up to it."""
    steps = trial.windows.shape[1]
    for last in some(torch.arange(steps - 1), STEPS).tolist():
        rows = (torch.arange(steps) > last).expand(len(trial.dates), -1)
        turned = poisoned(trial, before, rows)[:, : last + 1]  # (B, last + 1, ...)
        hit = np.argwhere(turned.reshape(*turned.shape[:2], -1).any(axis=2))
        cut = f"step {last + 1} of {steps}"
        witness = tainted(trial, cut, int(hit[0][0])) if len(hit) else None
        yield Taint(len(hit), turned.shape[0] * turned.shape[1], witness)


def tainted(trial: TestBatch, cut: str, sample: int) -> Witness:
    """An output that turned missing."""
    return Witness(cut, trial.texts[sample], trial.name(sample), "output turns missing")


def within_date(trial: TestBatch, before: np.ndarray) -> Finding:
    """With one date: are half of the samples felt by the others at all?"""
    half = torch.arange(len(trial.dates)) % 2 == 0
    turned = poisoned(trial, before, half.unsqueeze(1).expand(trial.windows.shape[:2]))
    if len(half) < 2 or turned[~half.numpy()].any():
        return unknown(trial, TEST.key, ONE_DATE, counts=False)
    others = [Taint(0, int((~half).sum()), None)]
    return judged(trial, others, [], FiniteDifferences(later=False))


def judged(
    trial: TestBatch, samples: list[Taint], steps: list[Taint], felt: FiniteDifferences
) -> Finding:
    """LEAK where taint and finite changes agree; UNKNOWN where taint alone speaks."""
    groups = ((samples, felt.later), (steps, bool(felt.steps)))
    hits = [(one, agrees) for group, agrees in groups for one in group if one.turned]
    leaks = any(agrees for _, agrees in hits)
    verdict = Verdict.LEAK if leaks else Verdict.UNKNOWN if hits else Verdict.CLEAN
    evidence = {
        Verdict.LEAK: "exact",
        Verdict.UNKNOWN: "finite changes of the later rows are not felt",
        Verdict.CLEAN: "exact, within operations that pass missing values on",
    }[verdict]
    tries = [*samples, *steps]
    return Finding(
        test=TEST.key,
        stage=trial.stage,
        verdict=verdict,
        evidence=evidence,
        statistic=TEST.statistic,
        value=sum(one.turned for one in tries) / max(sum(one.watched for one in tries), 1),
        threshold=TEST.threshold,
        tested=f"{len(samples)} cuts by date and {len(steps)} by step: all later values missing",
        witness=next((one.witness for one, agrees in hits if agrees or not leaks), None),
        detail=detail_of(verdict, felt.later or bool(felt.steps)),
        counts=trial.counts and verdict is not Verdict.UNKNOWN,
    )


def detail_of(verdict: Verdict, felt: bool) -> str:
    """One sentence: what missing rows do, and what finite changes say to that."""
    if verdict is Verdict.LEAK:
        return "outputs turn missing when later rows are"
    if verdict is Verdict.UNKNOWN:
        return (
            "outputs turn missing when later rows are, but no finite change of them is felt: a "
            "product with 0, such as a mask, turns missing without dependence"
        )
    if felt:
        return (
            "missing later rows leave no trace, yet changes of them are felt: what they act "
            "through skips or ranks missing values"
        )
    return "no output turns missing when later rows are; what skips missing values is not seen"
