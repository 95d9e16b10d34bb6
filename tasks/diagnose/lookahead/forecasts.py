"""Train and serve invariance: change the future of a forecaster, see what moves, where first."""

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.perturb.attempt import Attempt, attempt
from foldproof.tasks.diagnose.perturb.compare import NOISE_MARGIN, Difference, day, difference
from foldproof.tasks.diagnose.trace.reference_run import ReferenceRun
from foldproof.tasks.diagnose.trace.stages import StageOutput, entries

Change = tuple[np.datetime64, str]
"""A cut and the key of a perturbation."""


@dataclass
class Observation:
    """What the cuts of one test showed.

    Attributes:
        tried: Cuts and changes.
        worst: The largest move of a forecast up to its cut.
        cut: Where it was seen.
        compared: Forecasts compared.
        entry: The earliest stage that moved.
        ahead: The longest look-ahead in that stage.
        cuts: Cuts at which a forecast moved.
        plan: Cuts and perturbations.
        doubtful: A frozen value made again in the test block, which moved and no forecast did.
    """

    tried: Attempt
    worst: Difference = field(default_factory=Difference)
    cut: str = ""
    compared: int = 0
    entry: StageOutput | None = None
    ahead: int | None = None
    cuts: set[str] = field(default_factory=set)
    plan: list[Change] = field(default_factory=list)
    doubtful: StageOutput | None = None

    def add(
        self, here: Difference, found: list[StageOutput], cut: np.datetime64, rounding: float
    ) -> None:
        """Take note of a run."""
        self.compared += here.count
        if here.value > rounding:
            self.cuts.add(day(cut))
        if here.value > self.worst.value:
            self.worst, self.cut = here, day(cut)
        for entry in found:
            if entry.again and here.value <= rounding:
                self.doubtful = entry
            else:
                self.enter(entry)

    def enter(self, entry: StageOutput) -> None:
        """Keep what moved first on the way; of one stage the furthest look-ahead, largest move."""
        held = self.entry
        if held is None or entry.place < held.place:
            self.entry, self.ahead = entry, entry.ahead
        elif held.stage == entry.stage:
            self.ahead = max((a for a in (self.ahead, entry.ahead) if a is not None), default=None)
            if finite(entry.value) > finite(held.value):
                self.entry = entry


def finite(value: float) -> float:
    """A finite move says more than values that appear or vanish."""
    return value if np.isfinite(value) else 0.0


def observe(
    ground: ReferenceRun, plan: list[Change], frozen: bool, late_only: bool = False
) -> Observation:
    """Run the forecaster on changed data, change by change.

    Args:
        ground: Where it starts from.
        plan: Cuts and perturbations.
        frozen: Train anew and compare frozen values too; else the trained model stays where
            training is traced.
        late_only: Change only cells of rows up to the cut that were not known then.
    """
    seen = Observation(Attempt(np.array(sorted({cut for cut, _ in plan}))), plan=plan)
    models = None if frozen else ground.base.trace.reusable
    for place, (cut, name) in enumerate(plan):
        changed = ground.changed(cut, name, place, late_only)
        run, reason = attempt(partial(ground.subject.run, changed, models))
        if run is None:
            seen.tried.failed.setdefault(name, reason)
            continue
        seen.tried.worked[name] += 1
        before, after = (up_to(one.scores, cut) for one in (ground.base, run))
        found = entries(ground.base.notes, run.notes, cut, ground.dates, frozen)
        if found:
            found = entries(ground.steady, run.notes, cut, ground.dates, frozen)
        if found and not frozen:  # something moved: a choice made before it may be the cause
            found = entries(ground.steady, run.notes, cut, ground.dates, frozen=True)
        moves = difference(before, after, ground.scale, ground.rounding)
        seen.add(moves, found, cut, ground.rounding)
    return seen


def up_to(scores: pd.Series, cut: np.datetime64) -> pd.Series:
    """Scores dated up to ``cut``."""
    return scores[scores.index.get_level_values(0) <= cut]


def answer(test: str, seen: Observation, ground: ReferenceRun, rerun: float) -> Finding:
    """The finding on one kind of cut; ``rerun`` is how far two runs on the same data differ."""
    limit = max(ground.rounding, NOISE_MARGIN * rerun)
    training = test == "train_invariance"
    moves = seen.worst.value > limit
    only_stage = not moves and by_stage_alone(seen, rerun)
    fitted = moves and training and not served_alike(ground, seen)
    stage, witness = place_of(seen, fitted)
    reason = seen.tried.unknown(without_truncation=True) or unsteadiness(ground, seen, rerun)
    leaks = moves or only_stage
    verdict = Verdict.LEAK if leaks else Verdict.UNKNOWN if reason else Verdict.CLEAN
    return Finding(
        test=test,
        stage=stage if leaks else "training" if training else "scoring",
        verdict=verdict,
        evidence=reason if verdict is Verdict.UNKNOWN else "exact",
        statistic="largest move of a past forecast when later rows change [cross-sectional sd]",
        value=seen.worst.value,
        threshold=limit,
        tested=f"{seen.compared} forecasts, {stages_of(ground)}; {seen.tried}",
        witness=witness if leaks else None,
        detail=reason
        if verdict is Verdict.UNKNOWN
        else detail_of(seen, leaks, moves, fitted)
        if leaks
        else "rounding only"
        if seen.worst.value > 0
        else "identical to the last bit",
        ahead=seen.ahead if leaks else None,
    )


def by_stage_alone(seen: Observation, rerun: float) -> bool:
    """Whether a stage moved by itself; frozen values say so only of a forecaster that repeats."""
    entry = seen.entry
    return (
        entry is not None and entry.stage != "scoring" and (rerun == 0 or entry.ahead is not None)
    )


def unsteadiness(ground: ReferenceRun, seen: Observation, rerun: float) -> str:
    """Why what did not move, or moved, says little; or nothing."""
    if rerun == float("inf") and ground.again[1]:
        return f"it does not run twice on the same data: {ground.again[1]}"
    if NOISE_MARGIN * rerun > ground.rounding:
        return f"two runs on the same data differ by {rerun:.2g} sd: seed the model"
    if seen.doubtful is not None:
        one = seen.doubtful
        return (
            f"{one.witness.column} ({one.stage}), marked more than once, follows what comes after "
            "training: mark only what is fitted before the test block, or each under its own name"
        )
    # only where something moved was it run again
    noisy = [n for n in ground.steady if n.noise > 0] if "steady" in vars(ground) else []
    names = ", ".join(dict.fromkeys(f"{n.name} ({n.stage})" for n in noisy if n.table is not None))
    return f"{names} differs between two runs on the same data: seed it" if names else ""


def served_alike(ground: ReferenceRun, seen: Observation) -> bool:
    """Whether forecasts move as well with the model of the base run: then scoring is to blame."""
    if not ground.traced or (seen.entry is not None and seen.entry.stage != "scoring"):
        return False
    served = observe(ground, [(cut, name) for cut, name in seen.plan], frozen=False)
    return served.worst.value > ground.rounding


def place_of(seen: Observation, fitted: bool) -> tuple[str, Witness]:
    """Where a leak enters, and its witness there.

    A frozen value that moved although no earlier stage did is where training sees the future. A
    forecast that moved alone is blamed on training, if all after it was changed, or on scoring.
    """
    entry = seen.entry
    own = replace(seen.worst.witness(seen.cut), cut=seen.cut)
    if entry is None or entry.stage == "scoring":
        return ("training" if fitted else "scoring"), own
    return entry.stage, entry.witness


def stages_of(ground: ReferenceRun) -> str:
    """Which stages were watched."""
    names = dict.fromkeys(note.stage for note in ground.base.trace.notes)
    lost = ground.base.trace.lost.get("training")
    again = f" (trained at every cut, as its model cannot be copied: {lost})" if lost else ""
    return f"stages {', '.join(names)}{again}" if names else "no stage traced"


def detail_of(seen: Observation, leaks: bool, moves: bool, fitted: bool) -> str:
    """One sentence: where it enters, how far it looks ahead, whether forecasts follow."""
    entry = seen.entry
    if entry is None or entry.stage == "scoring":
        text = (
            "forecasts of the first test date depend on what comes later: training, or what is "
            "fitted with it, sees past the training dates, or features look ahead"
            if fitted
            else "forecasts depend on rows dated later"
        )
    elif entry.ahead is None:
        text = f"{entry.witness.column} ({entry.stage}) depends on what comes after training"
    else:
        text = f"{entry.witness.column} ({entry.stage}) depends on later rows"
    if seen.ahead:
        text += f", at least {seen.ahead} trading day{'s' * (seen.ahead > 1)} ahead"
    if seen.cuts and len(seen.tried.cuts) > 1:
        text += f"; seen at {len(seen.cuts)} of {len(seen.tried.cuts)} cuts"
    return text if moves else f"{text}; the forecasts compared do not follow"


def selection_finding(training: Finding, ground: ReferenceRun) -> list[Finding]:
    """T23: whether what was chosen follows what comes after training, where choices are traced.

    Labels of the test block change with all else that is not known then: no choice may follow.
    """
    notes = ground.base.trace.notes
    chosen = list(dict.fromkeys(note.name for note in notes if note.stage == "selection"))
    if not chosen or (training.verdict is Verdict.LEAK and training.stage != "selection"):
        return []
    leaks = training.verdict is Verdict.LEAK
    entry = DIAGNOSTICS["selection_audit"]
    return [
        replace(
            training,
            test=entry.key,
            stage="selection",
            statistic=entry.statistic,
            value=float(leaks) if training.verdict is not Verdict.UNKNOWN else float("nan"),
            threshold=entry.threshold,
            detail=f"{', '.join(chosen)}: nothing chosen follows"
            if training.verdict is Verdict.CLEAN
            else training.detail,
            ahead=None,
        )
    ]
