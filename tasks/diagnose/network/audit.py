"""Does a torch module's output depend on later samples of its batch, or on later steps?"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn

from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Verdict, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding, unknown_finding
from foldproof.tasks.diagnose.network import calls
from foldproof.tasks.diagnose.network.batch import STEPS, FiniteDifferences, TestBatch
from foldproof.tasks.diagnose.network.batch_contrast import composition_contrast
from foldproof.tasks.diagnose.network.completeness import completeness_split
from foldproof.tasks.diagnose.network.composition import composition_finding
from foldproof.tasks.diagnose.network.coupling import (
    Probe,
    as_numpy,
    coupling,
    perturbed,
    worst,
)
from foldproof.tasks.diagnose.network.jacobian import jacobian
from foldproof.tasks.diagnose.network.mode_gap import mode_gap
from foldproof.tasks.diagnose.network.nan_taint import nan_taint
from foldproof.tasks.diagnose.network.scoring import Labels, one_per_window
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import moved, spread

EXPLAINING: Mapping[str, Callable[[TestBatch, FiniteDifferences], Finding]] = MappingProxyType(
    {"jacobian": jacobian, "nan_taint": nan_taint, "completeness_split": completeness_split}
)
"""Tests that detect less than finite perturbations do, and explain how a dependence arises."""


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
    """Perturb the other samples of a batch, by date, and the later steps of a window.

    The mode the module is given in counts; the other mode is tested too and informs only. The
    tests run on copies with dropout off: the module, its buffers and modes, and the global random
    state do not change. A module that runs in float64 is tested in float64.

    Dependence on samples of the same date is not look-ahead, since they are known together.

    With targets, two statistical tests measure the effect of the coupling: whether forecasts rank
    better in training mode, and when dates share a batch.

    Args:
        module: Takes (B, T, F) windows, or those and (B,) int64 dates; returns (B, ...).
        windows: (B, T, F), at least two samples; ideally several dates with several samples each.
        dates: (B,) the last date of each window: datetime64, or ints in time order.
        seed: Seed of the perturbations.
        tolerance: Moves up to this many sd of the outputs are rounding; 1e-9, float32 1e-5.
        per_step: Whether outputs (B, T, ...) are one per step; by default decided by the shape.
        target: (B,) the targets, NaN where unknown; needs one output per sample.
        symbols: (B,) the symbol of each window: numbers or names, which the witness shows.
        horizon: Dates spanned by a target.
        batch_size: Samples scored together in production, in the given order; default all.

    Returns:
        Findings on batch composition, on state, on steps (if outputs are one per step), their
        explanations (derivatives, missing values, completeness) and, with targets, on rank IC;
        in both modes.

    Raises:
        ValueError: Shapes do not fit, fewer than two samples, horizon or batch_size below 1.
    """
    numbers, texts = _checked_dates(windows, dates)
    labels = Labels.of(target, symbols, horizon, batch_size, len(windows))
    given = () if symbols is None else one_per_window("symbols", symbols, len(windows))
    stocks = tuple(map(str, given))
    found: list[Finding] = []
    tested: list[tuple[TestBatch, FiniteDifferences]] = []
    for counts in (True, False):
        copied = calls.dropout_off(copy.deepcopy(module))
        if not counts:
            copied.train(not module.training)
        mode = "training mode" if copied.training else "eval mode"
        copied, values, rounding = calls.precise(copied, windows.detach(), numbers, seed)
        limit = tolerance or rounding
        batch = TestBatch(copied, values, numbers, texts, seed, limit, mode, counts, stocks)
        results, reason = attempt(partial(_exact_findings, batch, per_step))
        exact, differences = results or _untested(batch, reason)
        found += exact
        tested.append((batch, differences))
        if labels is not None:
            contrast = partial(composition_contrast, batch, differences, labels)
            found.append(_finding_or_unknown(batch, "composition_contrast", contrast))
    if labels is not None:
        # a module given with parts in training mode is scored so; else the other batch trains
        batch, differences = tested[0 if calls.training_parts(module) else 1]
        gap = partial(mode_gap, batch, differences, labels)
        found.append(_finding_or_unknown(batch, "mode_gap", gap))
    return LeakReport(type(module).__name__, tuple(found))


def _untested(batch: TestBatch, reason: str) -> tuple[list[Finding], FiniteDifferences]:
    """The result for a module that could not be tested in a mode."""
    finding = unknown_finding(
        "batch_composition", batch.stage, reason, "nothing", counts=batch.counts
    )
    return [finding], FiniteDifferences(later=False)


def _finding_or_unknown(batch: TestBatch, test: str, run: Callable[[], Finding]) -> Finding:
    """The finding of ``run``, or an UNKNOWN that informs only, with the error as its reason."""
    finding, reason = attempt(run)
    return finding or unknown_finding(test, batch.stage, reason, "nothing", counts=False)


def _checked_dates(windows: Tensor, dates: Tensor | np.ndarray) -> tuple[Tensor, list[str]]:
    """(B,) int64 dates, and the dates as text.

    Raises:
        ValueError: Not one date per window, or fewer than two windows.
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


def _exact_findings(
    batch: TestBatch, per_step: bool | None
) -> tuple[list[Finding], FiniteDifferences]:
    """The exact findings on a module in one mode, and the results of finite perturbations."""
    once, again, reseeded = (
        as_numpy(calls.fresh_call(batch.module, batch.windows, batch.dates, batch.seed + seed))
        for seed in (0, 0, 1)
    )
    if moved(once, again).any():
        return _untested(batch, "two runs with the same random numbers differ")
    by_position = bool(moved(once, reseeded).any())
    found = coupling(batch.forward, batch.windows, batch.dates, batch.seed, resize=not by_position)
    samples = [(text, batch.name(place)) for place, text in enumerate(batch.texts)]
    names = dict(zip(batch.dates.tolist(), batch.texts, strict=True))
    results = [
        composition_finding(found, batch.tolerance, batch.stage, names, samples, batch.counts),
        _state_finding(batch),
    ]
    steps = batch.windows.shape[1]
    per_step = once.shape[1:2] == (steps,) and steps > 1 if per_step is None else per_step
    differences = FiniteDifferences(later=found.ahead.size > batch.tolerance)
    if per_step:
        results.append(_steps_finding(batch))
        differences = replace(differences, steps=results[-1].verdict is Verdict.LEAK)
    few = batch.thinned()
    results += [
        _finding_or_unknown(few, name, partial(test, few, differences))
        for name, test in EXPLAINING.items()
    ]
    return results, differences


def _steps_finding(batch: TestBatch) -> Finding:
    """Whether the output of a step moves when later steps of its own window are perturbed.

    Raises:
        ValueError: Outputs are not one per step.
    """
    probe = Probe.of(batch.forward, batch.windows, batch.dates, batch.seed)
    steps = batch.windows.shape[1]
    if probe.before.ndim < 2 or probe.before.shape[1] != steps:
        raise ValueError(
            f"per_step needs outputs (B, {steps}, ...), one per step; they are {probe.before.shape}"
        )
    moves = list(probe.later_steps(STEPS))
    top = worst(moves)
    return exact_finding(
        "serve_invariance",
        f"steps in {batch.mode}",
        top.size,
        f"outputs (B, T, ...) read as one per step; cuts after {len(moves)} of {steps} steps",
        leak="a step's output depends on later steps: harmless only if only the last step is read",
        clean="no step's output depends on later steps",
        witness=Witness(
            f"step {top.cut} of {steps}", batch.texts[top.sample], batch.name(top.sample),
            "output of a step", top.before, top.after,
        ),
        threshold=batch.tolerance,
        statistic="largest move of a step's output when later steps change [sd]",
        counts=batch.counts,
    )  # fmt: skip


def _state_finding(batch: TestBatch) -> Finding:
    """State purity: what a pass changes, and training-mode submodules of a module in eval mode."""
    module = copy.deepcopy(batch.module)
    before = calls.state_of(module)
    first = as_numpy(calls.call(module, batch.windows, batch.dates, batch.seed))
    calls.call(module, perturbed(batch.windows, batch.seed), batch.dates, batch.seed)
    again = as_numpy(calls.call(module, batch.windows, batch.dates, batch.seed))
    drift = float(moved(first, again).max()) / spread(first)
    wrong = [f"{name} changed" for name in calls.changed_state(before, module)]
    if drift > batch.tolerance:
        wrong.append(f"outputs move by {drift:.2g} sd after a pass over other samples")
    if not batch.module.training:
        wrong += [f"{name} is in training mode" for name in calls.training_parts(batch.module)]
    return exact_finding(
        "state_purity",
        batch.stage,
        float(len(wrong)),
        f"{len(before)} parameters and buffers; a pass over other samples in between",
        leak="; ".join(wrong),
        clean="a pass changes nothing",
        witness=Witness(column=wrong[0]) if wrong else None,
        statistic="changes made by a pass, and training-mode parts of an eval module [count]",
        counts=batch.counts,
    )
