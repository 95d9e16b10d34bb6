"""The causes of a report's leaks, each with its consequences and what mends it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.sheet import stage_of, stages_of

NETWORK_TESTS = (
    "batch_composition", "serve_invariance", "state_purity", "completeness_split", "jacobian",
    "nan_taint", "composition_contrast", "mode_gap",
)  # fmt: skip
"""Tests of a network, the one that shows the cause first; the others follow from it."""
OVER_SAMPLES = (
    "each sample depends on those before it in the batch and on none after it, so the network "
    "takes the samples of a batch for time steps"
)
"""How a layer over the batch axis shows, such as an LSTM without ``batch_first``."""
TRAINING_MODE = "is in training mode"
"""How a part shows that stays in training mode while its module is in eval mode."""
EVAL = "call net.eval() before scoring"
NETWORK_FIXES = (
    (OVER_SAMPLES, "pass batch_first=True to nn.LSTM or nn.GRU, or give it windows as (T, B, F)"),
    ("a step's output", "read the last step only, or use layers that read earlier steps only"),
    ("changed", "keep no state between passes: score with a fresh copy, or reset it before a pass"),
)
"""A text in the detail of a network's leak -> what mends it."""
BATCHES = (
    "score each date in a batch of its own, or replace statistics over the batch by those of a "
    "sample, of its date, or of the training rows"
)
FIXES: Mapping[str, str] = MappingProxyType({
    "folds": "end each block before the dates of its last labels reach the next one (purge), and "
    "train on dates before the test block only",
    "raw data": "use a value from the date on which it became known, not from the date that it "
    "describes",
    "universe": "decide which rows exist by what was known on their date",
    "features": "compute each value from rows up to its own date: shift(1) and not shift(-1), "
    "trailing and not centred windows, ffill and not bfill, no statistic of the whole sample",
    "target": "let the return begin after the date of the forecast, and state when it is known",
    "selection": "choose features and settings on training and validation rows only",
    "input normalizer": "fit the scaler on the training dates only",
    "window": "end each window on the date of its forecast",
    "training": "fit on rows of the training and validation dates whose labels are known before "
    "the test block",
    "scoring": "scale, rank or adjust scores within their date, or by earlier dates only",
    "attribution": "take baselines and backgrounds from the training rows",
})  # fmt: skip
"""What mends a leak, by its stage."""


@dataclass(frozen=True)
class Cause:
    """A leak, and what follows from it.

    Attributes:
        finding: The finding that shows the cause.
        consequences: Other findings of the same leak.
        fix: What mends it, as an instruction without a full stop.
    """

    finding: Finding
    consequences: tuple[Finding, ...]
    fix: str


def causes_of(report: LeakReport) -> tuple[Cause, ...]:
    """The causes of the leaks that count, in the order of the pipeline.

    All leaks of a network, and of the scores that it gives, have one cause. So have findings of
    two tests at one stage that name the same value.
    """
    leaks = [f for f in report.findings if f.verdict is Verdict.LEAK and f.counts]
    network = sorted((f for f in leaks if is_network(f)), key=_rank)
    if network:
        scored = [f for f in leaks if f.stage == "scoring"]
        network += scored
        leaks = [f for f in leaks if f not in network]
    found = [cause for stage in stages_of(leaks) for cause in _at_stage(leaks, stage)]
    if network:
        found.append(Cause(network[0], tuple(network[1:]), network_fix(network, report)))
    order = stages_of(one.finding for one in found)
    return tuple(sorted(found, key=lambda one: order.index(stage_of(one.finding.stage))))


def is_network(finding: Finding) -> bool:
    """Whether a finding is about a network, or about the steps of its windows."""
    return stage_of(finding.stage) == "network" or finding.stage.startswith("steps in ")


def network_fix(leaks: Sequence[Finding], report: LeakReport) -> str:
    """What mends the leaks of a network.

    Training mode is the cause if the network does not leak in eval mode, which an audit tests too.
    """
    first = leaks[0]
    evaluated = [f for f in report.findings if f.stage.endswith(" in eval mode")]
    still = [f for f in evaluated if f.verdict is Verdict.LEAK and f.test == first.test]
    if first.stage.endswith(" in training mode") and evaluated and not still:
        return EVAL
    parts = [f for f in leaks if f.test == "state_purity" and TRAINING_MODE in f.detail]
    if parts:
        return f"{EVAL}: {parts[0].detail}"
    return next((fix for text, fix in NETWORK_FIXES if text in first.detail), BATCHES)


def _rank(finding: Finding) -> int:
    """Place of a network's finding among its tests; other tests come last."""
    known = finding.test in NETWORK_TESTS
    return NETWORK_TESTS.index(finding.test) if known else len(NETWORK_TESTS)


def _at_stage(leaks: Sequence[Finding], stage: str) -> list[Cause]:
    """The causes at a stage; other tests that name the same value show consequences."""
    groups: dict[object, list[Finding]] = {}
    for place, finding in enumerate(f for f in leaks if stage_of(f.stage) == stage):
        column = finding.witness.column if finding.witness else ""
        groups.setdefault(column or place, []).append(finding)
    causes = []
    for group in groups.values():
        first = max(group, key=lambda f: (*telling(f)[:2], -_place(f)))
        own = [f for f in group if f.test == first.test]
        others = tuple(f for f in group if f.test != first.test)
        causes += [Cause(f, others if f is own[0] else (), FIXES.get(stage, "")) for f in own]
    return causes


def _place(finding: Finding) -> int:
    """Place of the test in the catalogue."""
    known = finding.test in DIAGNOSTICS
    return [*DIAGNOSTICS].index(finding.test) if known else len(DIAGNOSTICS)


def telling(finding: Finding) -> tuple[bool, bool, float]:
    """How much a leak says to a reader: more with a changed value, then in sd, then if larger.

    Values in different units do not compare, so the size decides among equals only.
    """
    changed = finding.witness is not None and finding.witness.before == finding.witness.before
    value = finding.value
    return changed, finding.size is not None, value if value == value else float("-inf")
