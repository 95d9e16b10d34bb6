"""Train and serve invariance: do forecasts move when later rows change, and at which stage?"""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding
from foldproof.tasks.diagnose.perturb.attempt import Attempt, after_cuts
from foldproof.tasks.diagnose.perturb.compare import NOISE_MARGIN, Difference, day
from foldproof.tasks.diagnose.perturb.rows import change_after
from foldproof.tasks.diagnose.trace.run import ReferenceRun
from foldproof.tasks.diagnose.trace.stages import StageOutput, moved_outputs

CutChange = tuple[np.datetime64, str]
"""A cut and the key of a perturbation."""
STATISTIC = "largest move of a past forecast when later rows change [cross-sectional sd]"


@dataclass
class Observation:
    """The moves over all cuts of one test.

    Attributes:
        plan: Cuts and perturbations.
        attempts: The runs on changed data.
        worst: The largest move of a forecast dated up to its cut.
        cut: The cut of that move.
        compared: Number of forecasts compared.
        first: The earliest stage that moved, or None.
        ahead: The largest look-ahead of that stage.
        cuts: Cuts at which a forecast moved.
        refitted: An output without dates, fitted again within the test block, that moved although
            no forecast did; or None.
    """

    plan: list[CutChange]
    attempts: Attempt
    worst: Difference = field(default_factory=Difference)
    cut: str = ""
    compared: int = 0
    first: StageOutput | None = None
    ahead: int | None = None
    cuts: set[str] = field(default_factory=set)
    refitted: StageOutput | None = None

    def add(
        self, moves: Difference, outputs: list[StageOutput], cut: np.datetime64, rounding: float
    ) -> None:
        """Add the moves of one run: of forecasts and of the outputs of stages."""
        self.compared += moves.count
        if moves.value > rounding:
            self.cuts.add(day(cut))
        if moves.value > self.worst.value:
            self.worst, self.cut = moves, day(cut)
        for output in outputs:
            if output.repeated and moves.value <= rounding:
                self.refitted = output
            else:
                self.add_output(output)

    def add_output(self, output: StageOutput) -> None:
        """Keep the earliest stage; of that stage the largest look-ahead and the largest move."""
        first = self.first
        if first is None or output.place < first.place:
            self.first, self.ahead = output, output.ahead
        elif first.stage == output.stage:
            known = (ahead for ahead in (self.ahead, output.ahead) if ahead is not None)
            self.ahead = max(known, default=None)
            sizes = [one.value if np.isfinite(one.value) else 0.0 for one in (first, output)]
            if sizes[1] > sizes[0]:
                self.first = output

    @property
    def stage(self) -> StageOutput | None:
        """The first output that moved, if its stage comes before scoring."""
        return None if self.first is None or self.first.stage == "scoring" else self.first


def observe(
    reference: ReferenceRun, plan: list[CutChange], retrain: bool, late_only: bool = False
) -> Observation:
    """Run the forecaster on changed data, change by change.

    Args:
        reference: The run on the unchanged data.
        plan: Cuts and perturbations.
        retrain: Train again and compare outputs without dates too; else keep the trained model if
            training is traced.
        late_only: Change only cells of rows up to the cut that were not known by then.
    """
    options, trace = reference.options, reference.base.trace
    found = Observation(plan, Attempt(np.array(sorted({cut for cut, _ in plan}))))
    run = partial(reference.bound.run, models=None if retrain else trace.reusable)
    change = partial(change_after, reference.data, options.known_at, late_only=late_only)
    changes = [(cut, name, (options.seed, place)) for place, (cut, name) in enumerate(plan)]
    for cut, after in after_cuts(run, change, changes, found.attempts):
        outputs = moved_outputs(reference.base.notes, after.notes, cut, reference.dates, retrain)
        if outputs:  # again, without differences between two identical runs
            outputs = moved_outputs(reference.notes, after.notes, cut, reference.dates, retrain)
        if outputs and not retrain:  # again with outputs without dates: a choice may be the cause
            outputs = moved_outputs(reference.notes, after.notes, cut, reference.dates, True)
        found.add(reference.moves(after, cut), outputs, cut, reference.rounding)
    return found


def invariance_finding(
    test: str, found: Observation, reference: ReferenceRun, rerun: float
) -> Finding:
    """The finding of ``test``; ``rerun`` is the largest move between two identical runs."""
    limit = max(reference.rounding, NOISE_MARGIN * rerun)
    training = test == "train_invariance"
    moves = found.worst.value > limit
    # an output without dates is evidence only if two identical runs agree
    stage_alone = found.stage is not None and (rerun == 0 or found.stage.ahead is not None)
    trained = moves and training and not _moves_without_training(reference, found)
    value = found.worst.value
    tested = f"{found.compared} forecasts, {_traced_stages(reference)}; {found.attempts}"
    if moves or stage_alone:
        stage, witness = _stage_and_witness(found, trained)
        return Finding(
            test, stage, Verdict.LEAK, "exact", STATISTIC, value, limit, tested, witness,
            _leak_detail(found, moves, trained), ahead=found.ahead,
        )  # fmt: skip
    reason = found.attempts.unknown(without_truncation=True) or _reason(reference, found, rerun)
    return exact_finding(
        test, "training" if training else "scoring", value, tested, leak="", reason=reason,
        clean="rounding only" if value > 0 else "identical to the last bit",
        threshold=limit, statistic=STATISTIC,
    )  # fmt: skip


def _reason(reference: ReferenceRun, found: Observation, rerun: float) -> str:
    """Why forecasts that did not move are not clean, or an empty text."""
    if rerun == float("inf") and reference.rerun[1]:
        return f"it fails when run twice on the same data: {reference.rerun[1]}"
    if NOISE_MARGIN * rerun > reference.rounding:
        return f"two runs on the same data differ by {rerun:.2g} sd: seed the model"
    if found.refitted is not None:
        return (
            f"{found.refitted.witness.column} ({found.refitted.stage}), traced more than once, "
            "depends on rows after training: trace only what is fitted before the test block, or "
            "give each its own name"
        )
    # the second run was made only if something moved
    notes = reference.notes if "notes" in vars(reference) else []
    noisy = [note for note in notes if note.noise > 0 and note.table is not None]
    names = ", ".join(dict.fromkeys(f"{note.name} ({note.stage})" for note in noisy))
    return f"{names} differs between two runs on the same data: seed it" if names else ""


def _moves_without_training(reference: ReferenceRun, found: Observation) -> bool:
    """Whether forecasts of the model of the base run move too: then scoring is the cause."""
    if not reference.traced or found.stage is not None:
        return False
    return observe(reference, found.plan, retrain=False).worst.value > reference.rounding


def _stage_and_witness(found: Observation, trained: bool) -> tuple[str, Witness]:
    """Where a leak enters, and its witness there.

    If an output without dates moved and no earlier stage did, training reads later rows. If a
    forecast moved alone, the cause is training, or scoring if the trained model moves it too.
    """
    if found.stage is not None:
        return found.stage.stage, found.stage.witness
    return "training" if trained else "scoring", found.worst.witness(found.cut)


def _traced_stages(reference: ReferenceRun) -> str:
    """The stages that were compared."""
    trace = reference.base.trace
    names = dict.fromkeys(note.stage for note in trace.notes)
    error = trace.not_copied.get("training")
    again = f" (trained at every cut, as its model cannot be copied: {error})" if error else ""
    return f"stages {', '.join(names)}{again}" if names else "no stage traced"


def _leak_detail(found: Observation, moves: bool, trained: bool) -> str:
    """One sentence: where a leak enters, how far it looks ahead, whether forecasts move."""
    if found.stage is not None:
        rows = "rows after training" if found.stage.ahead is None else "later rows"
        text = f"{found.stage.witness.column} ({found.stage.stage}) depends on {rows}"
    elif trained:
        text = (
            "forecasts of the first test date depend on later rows: training, or a step that is "
            "fitted with it, reads past the training dates, or features look ahead"
        )
    else:
        text = "forecasts depend on later rows"
    if found.ahead:
        text += f", at least {found.ahead} trading day{'s' * (found.ahead > 1)} ahead"
    if found.cuts and len(found.attempts.cuts) > 1:
        text += f"; at {len(found.cuts)} of {len(found.attempts.cuts)} cuts"
    return text if moves else f"{text}; the forecasts compared do not move"


def selection_finding(training: Finding, reference: ReferenceRun) -> list[Finding]:
    """Whether choices depend on rows after training, if they are traced (selection_audit).

    Labels of the test block change with all other data that are not known by then, so no choice may
    depend on them.
    """
    notes = reference.base.trace.notes
    chosen = list(dict.fromkeys(note.name for note in notes if note.stage == "selection"))
    leaks, unknown = (training.verdict is one for one in (Verdict.LEAK, Verdict.UNKNOWN))
    if not chosen or (leaks and training.stage != "selection"):
        return []
    return [
        exact_finding(
            "selection_audit", "selection", float("nan") if unknown else float(leaks),
            training.tested, leak=training.detail, clean=f"{', '.join(chosen)}: no choice moves",
            reason=training.detail if unknown else "", witness=training.witness,
        )
    ]  # fmt: skip
