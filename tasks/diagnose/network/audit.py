"""Does a torch module's output depend on later samples of its batch, or on later steps?"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Verdict, Witness
from foldproof.tasks.diagnose.network.batch import STEPS, FiniteDifferences, TestBatch, unknown
from foldproof.tasks.diagnose.network.batch_contrast import composition_contrast
from foldproof.tasks.diagnose.network.calls import (
    call,
    changed_state,
    dropout_off,
    fresh_call,
    precise,
    state_of,
    training_parts,
)
from foldproof.tasks.diagnose.network.completeness import completeness_split
from foldproof.tasks.diagnose.network.composition import composition_finding
from foldproof.tasks.diagnose.network.coupling import Probe, coupling, noisy, plain, some, worst
from foldproof.tasks.diagnose.network.jacobian import jacobian
from foldproof.tasks.diagnose.network.mode_gap import mode_gap
from foldproof.tasks.diagnose.network.nan_taint import nan_taint
from foldproof.tasks.diagnose.network.scoring import Labels
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import moved, spread

EXPLAINING: Mapping[str, Callable[[TestBatch, FiniteDifferences], Finding]] = MappingProxyType(
    {"jacobian": jacobian, "nan_taint": nan_taint, "completeness_split": completeness_split}
)
"""Tests that see less than finite changes do, and say how a dependence comes about."""


def audit_module(
    module: nn.Module,
    windows: Tensor,
    dates: Tensor | np.ndarray,
    *,
    seed: int = 0,
    tolerance: float | None = None,
    per_step: bool | None = None,
    target: Tensor | np.ndarray | None = None,
    symbols: Tensor | np.ndarray | None = None,
    horizon: int = 1,
    batch_size: int | None = None,
) -> LeakReport:
    """Change the other samples of a batch, by date, and the later steps of a window.

    Tested in the mode that the module is in, which counts, and in the other, which informs. It
    works on copies: the module, its buffers and modes, and the global random state stay as they
    are. Dropout is off in both modes. Where the module runs in float64 it is tested so.

    To depend on samples of the same date is no leak in time, as they are known together.

    With targets it is also asked what the coupling does to forecasts: whether they rank better in
    training mode, and when mixed dates share a batch.

    Args:
        module: Takes (B, T, F) windows, or those and (B,) int64 dates; returns (B, ...).
        windows: (B, T, F), two samples or more, best of several dates and several a date.
        dates: (B,) the date on which each window ends: datetime64, or ints in time order.
        seed: Of what is put in the place of changed samples.
        tolerance: Moves up to this many sd of the outputs are rounding; 1e-9, float32 1e-5.
        per_step: Whether outputs (B, T, ...) are one a step; by default where the shape says so.
        target: (B,) what is forecast, NaN where unknown; needs one output a sample.
        symbols: (B,) whom each window is of: numbers or names.
        horizon: Dates that a target spans.
        batch_size: Samples that are scored together in earnest, in the order given; all by default.

    Returns:
        Findings on batch composition, on state, on steps (if there is an output a step), what
        explains them (derivatives, missing values, completeness) and, with targets, on rank IC;
        in both modes.

    Raises:
        ValueError: Shapes that do not fit, fewer than two samples, horizon or batch_size below 1.
    """
    numbers, texts = checked_dates(windows, dates)
    labels = Labels.of(target, symbols, horizon, batch_size, len(windows))
    found: list[Finding] = []
    tried: list[tuple[TestBatch, FiniteDifferences]] = []
    for counts in (True, False):
        subject = dropout_off(copy.deepcopy(module))
        if not counts:
            subject.train(not module.training)
        mode = "training mode" if subject.training else "eval mode"
        subject, values, rounding = precise(subject, windows.detach(), numbers, seed)
        trial = TestBatch(
            subject, values, numbers, texts, seed, tolerance or rounding, mode, counts
        )
        results, reason = attempt(partial(findings_of, trial, per_step))
        failed = unknown(trial, "batch_composition", reason, counts)
        exact, felt = results or ([failed], FiniteDifferences(later=False))
        found += exact
        tried.append((trial, felt))
        if labels is not None:
            contrast = partial(composition_contrast, trial, felt, labels)
            found.append(answered(trial, "composition_contrast", contrast))
    if labels is not None:
        # a module that comes with parts in training mode is scored so; else the other trial trains
        trial, felt = tried[0 if training_parts(module) else 1]
        gap = partial(mode_gap, trial, felt, labels)
        found.append(answered(trial, "mode_gap", gap))
    return LeakReport(type(module).__name__, tuple(found))


def answered(trial: TestBatch, test: str, ask: Callable[[], Finding]) -> Finding:
    """The finding of a test beside the exact ones, or why it could not tell, which informs only."""
    finding, reason = attempt(ask)
    return finding or unknown(trial, test, reason, counts=False)


def checked_dates(windows: Tensor, dates: Tensor | np.ndarray) -> tuple[Tensor, list[str]]:
    """(B,) int64 dates and their texts.

    Raises:
        ValueError: Not one date a window, or fewer than two windows.
    """
    given = dates.detach().cpu().numpy() if isinstance(dates, Tensor) else np.asarray(dates)
    if windows.ndim < 2 or len(windows) < 2 or given.shape != (len(windows),):
        raise ValueError(
            "windows (B, T, F) must be two or more, with one date each: windows are "
            f"{tuple(windows.shape)}, dates {given.shape}"
        )
    if given.dtype.kind == "M":
        given = given.astype("datetime64[D]")
    elif given.dtype.kind not in "iu":
        raise ValueError(f"dates must be datetime64 or whole numbers; they are {given.dtype}")
    numbers = torch.from_numpy(given.astype(np.int64)).to(windows.device)
    return numbers, [str(date) for date in given]


def findings_of(trial: TestBatch, per_step: bool | None) -> tuple[list[Finding], FiniteDifferences]:
    """The exact findings on a module in one mode, and what finite changes have shown."""
    once, again, otherwise = (
        plain(fresh_call(trial.module, trial.windows, trial.dates, trial.seed + seed))
        for seed in (0, 0, 1)
    )
    if moved(once, again).any():
        reason = "two runs with the same random numbers differ"
        return [unknown(trial, "batch_composition", reason, trial.counts)], FiniteDifferences(
            later=False
        )
    by_place = bool(moved(once, otherwise).any())
    found = coupling(trial.forward, trial.windows, trial.dates, trial.seed, resize=not by_place)
    samples = [(text, f"sample {place}") for place, text in enumerate(trial.texts)]
    names = dict(zip(trial.dates.tolist(), trial.texts, strict=True))
    results = [
        composition_finding(found, trial.tolerance, trial.stage, names, samples, trial.counts),
        state_finding(trial),
    ]
    steps = trial.windows.shape[1]
    per_step = once.shape[1:2] == (steps,) and steps > 1 if per_step is None else per_step
    felt = FiniteDifferences(later=found.later.size > trial.tolerance)
    if per_step:
        results.append(steps_finding(trial))
        felt = replace(felt, steps=results[-1].verdict is Verdict.LEAK)
    few = trial.thinned()
    results += [answered(few, name, partial(ask, few, felt)) for name, ask in EXPLAINING.items()]
    return results, felt


def steps_finding(trial: TestBatch) -> Finding:
    """Whether the output of a step moves when later steps of its own window change.

    Raises:
        ValueError: There is not one output a step.
    """
    probe = Probe.of(trial.forward, trial.windows, trial.dates, trial.seed)
    steps = trial.windows.shape[1]
    if probe.before.ndim < 2 or probe.before.shape[1] != steps:
        raise ValueError(
            f"per_step needs outputs (B, {steps}, ...), one a step; they are {probe.before.shape}"
        )
    moves = []
    for last in some(torch.arange(steps - 1), STEPS).tolist():
        changed = trial.windows.clone()
        changed[:, last + 1 :] = probe.noisy[:, last + 1 :]
        after = plain(trial.forward(changed, trial.dates))
        after[:, last + 1 :] = probe.before[:, last + 1 :]
        moves.append(probe.move(after, torch.arange(len(after)), last + 1))
    top = worst(moves)
    leaks = top.size > trial.tolerance
    return Finding(
        test="serve_invariance",
        stage=f"steps in {trial.mode}",
        verdict=Verdict.LEAK if leaks else Verdict.CLEAN,
        evidence="exact",
        statistic="largest move of a step's output when later steps change [sd]",
        value=top.size,
        threshold=trial.tolerance,
        tested=f"outputs (B, T, ...) read as one a step; {len(moves)} of {steps} steps cut after",
        witness=Witness(
            f"step {top.cut} of {steps}", trial.texts[top.sample], f"sample {top.sample}",
            "output of a step", top.before, top.after,
        ) if leaks else None,
        detail="a step's output depends on later steps: harmless only if the last step alone is "
        "read" if leaks else "no step's output depends on later steps",
        counts=trial.counts,
    )  # fmt: skip


def state_finding(trial: TestBatch) -> Finding:
    """T7: what a pass leaves behind, and parts that are in training mode within an eval module."""
    test, subject = DIAGNOSTICS["state_purity"], copy.deepcopy(trial.module)
    before = state_of(subject)
    first = plain(call(subject, trial.windows, trial.dates, trial.seed))
    other = noisy(trial.windows, trial.seed)
    call(subject, other, trial.dates, trial.seed)
    again = plain(call(subject, trial.windows, trial.dates, trial.seed))
    drift = float(moved(first, again).max()) / spread(first)
    wrong = [f"{name} changed" for name in changed_state(before, subject)]
    if drift > trial.tolerance:
        wrong.append(f"outputs move by {drift:.2g} sd after a pass over other samples")
    if not trial.module.training:
        wrong += [f"{name} is in training mode" for name in training_parts(trial.module)]
    return Finding(
        test=test.key,
        stage=f"network in {trial.mode}",
        verdict=Verdict.LEAK if wrong else Verdict.CLEAN,
        evidence="exact",
        statistic="traces of a pass, and parts in training mode in an eval module [count]",
        value=float(len(wrong)),
        threshold=test.threshold,
        tested=f"{len(before)} parameters and buffers; a pass over other samples in between",
        witness=Witness(column=wrong[0]) if wrong else None,
        detail="; ".join(wrong) or "a pass leaves no trace",
        counts=trial.counts,
    )
