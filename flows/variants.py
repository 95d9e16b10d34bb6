"""Train, attribute and audit every variant, with many units in parallel."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from foldproof.conf.schema import Experiment
from foldproof.flows.processes.schedule import Job
from foldproof.flows.processes.workers import submitted
from foldproof.flows.screens.comparison import Screen
from foldproof.flows.training_panel import training_panel
from foldproof.flows.tuning import Tuned, tune
from foldproof.models.engine import lstm_engine
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.attribute import Attribution
from foldproof.tasks.attribute.task import attribute
from foldproof.tasks.compare.comparison import daily
from foldproof.tasks.compare.cube import Parts, table_hash
from foldproof.tasks.data import Panel, load
from foldproof.tasks.diagnose import Finding, Verdict
from foldproof.tasks.diagnose.findings.finding import overall
from foldproof.tasks.diagnose.task import audit_folds, audit_panel_features, diagnose
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.split.paths import Paths
from foldproof.tasks.split.task import Plan
from foldproof.tasks.timing import Timed
from foldproof.tasks.train import PREFIX, TrainedUnit, TrainingError, Unit
from foldproof.tasks.train.task import (
    forecast_reference,
    reference_key,
    reference_table,
    train,
    whole,
    without_forecasts,
)
from foldproof.tasks.train.train import on_target
from foldproof.tasks.train.tuning import Setting

T = TypeVar("T")


@dataclass(eq=False)
class Fitted:
    """Results of the units, collected as they finish.

    Attributes:
        common: The panel with the target that all variants are scored on; None before training.
        paths: Of a combinatorial plan: which path a forecast belongs to.
        trained: Units by variant, in the order of the plan and the seeds, without their forecasts,
            which stay in the results until they are read.
        references: Keys of the kept forecasts of the reference forecasters, by name and fold.
        hashes: Of the forecasts, by the key of their unit or reference.
        attributions: By variant, one per unit.
        findings: By variant.
        shared: Findings that concern every variant, by subject: features, folds.
        seconds: CPU seconds by step, over all processes.
        missing: By variant or reference, which of its units, or its audit or attribution, failed,
            and why. It is left out of everything below: its mean over fewer folds or seeds would
            not be comparable.
        tuned: The settings that were chosen for each variant.
    """

    common: Panel | None = None
    paths: Paths | None = None
    trained: dict[str, list[TrainedUnit]] = field(default_factory=dict)
    references: dict[tuple[str, int], str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    attributions: dict[str, list[Attribution]] = field(default_factory=dict)
    findings: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    shared: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    missing: dict[str, str] = field(default_factory=dict)
    tuned: Tuned = field(default_factory=lambda: Tuned(Setting(NetworkSpec(), TrainingSpec())))

    @property
    def complete(self) -> dict[str, list[TrainedUnit]]:
        """Units by variant, of the variants that miss nothing."""
        return {name: own for name, own in self.trained.items() if name not in self.missing}

    def newest(self, experiment: Experiment) -> list[TrainedUnit]:
        """The model of each variant: the newest fold with the first seed, or with all of them.

        It is the forecaster that is compared: the ensemble with ``statistics.ensemble``.
        """
        models = []
        for trained in self.complete.values():
            newest = max(one.unit.fold.number for one in trained)
            by_seed = {one.unit.seed: one for one in trained if one.unit.fold.number == newest}
            first, *others = (by_seed[seed] for seed in sorted(by_seed))
            kept = tuple(others) if experiment.statistics.ensemble else ()
            models.append(replace(first, others=kept))
        return models

    def tables_of(self, trained: Iterable[TrainedUnit]) -> Iterator[pd.DataFrame]:
        """The forecasts of units beside the common target, read one after the other."""
        assert self.common is not None  # units have been trained
        return (self.placed(on_target(whole(one), self.common)) for one in trained)

    def placed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Forecasts of a fold as they are compared: with their path if there are several."""
        return table if self.paths is None else self.paths.named(table)

    def tables(self) -> Iterator[pd.DataFrame]:
        """Tables of all forecasts, in the order of :attr:`forecasts`."""
        for trained in self.complete.values():
            yield from self.tables_of(trained)
        yield from (self.placed(reference_table(key)) for key in self.reference_keys)

    @property
    def reference_keys(self) -> list[str]:
        """Keys of the references that miss nothing, in the order of name and fold."""
        present = [one for one in sorted(self.references) if one[0] not in self.missing]
        return [self.references[one] for one in present]

    @property
    def forecasts(self) -> Parts:
        """The forecasts: variants first, then references, in a fixed order."""
        units = [one.unit.key for trained in self.complete.values() for one in trained]
        target = self.common.fingerprint if self.common else ""
        hashes = [target, *(self.hashes[key] for key in (*units, *self.reference_keys))]
        return Parts(self.tables, hashes)

    @property
    def scored(self) -> dict[str, pd.DataFrame]:
        """Forecasts by variant, of those that miss nothing; for few units, as all are in memory."""
        return {name: pd.concat(self.tables_of(own)) for name, own in self.complete.items()}

    def findings_of(self, variant: str) -> tuple[Finding, ...]:
        """The variant's own findings, then those that concern every variant."""
        shared = (finding for findings in self.shared.values() for finding in findings)
        return (*self.findings[variant], *shared)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """By variant, the worst of :meth:`findings_of`."""
        present = [name for name in self.findings if name in self.complete]
        return {name: overall(self.findings_of(name)) for name in present}

    @property
    def leaking(self) -> set[str]:
        """Variants that see the future: no candidates for the best one."""
        return {name for name, verdict in self.verdicts.items() if verdict is Verdict.LEAK}

    def lose(self, name: str, part: str, screen: Screen) -> Callable[[Exception], None]:
        """For a job of a variant or reference: note that ``part`` failed, and say so."""

        def failed(error: Exception) -> None:
            text = f"{part}: {first_line(error)}"
            self.missing[name] = "; ".join(filter(None, [self.missing.get(name), text]))
            screen.say(f"{name:<22} failed, {text}")

        return failed

    def require(self, names: Iterable[str]) -> None:
        """Raise TrainingError if one of ``names`` misses a part."""
        lost = [f"{name} ({self.missing[name]})" for name in names if name in self.missing]
        if lost:
            raise TrainingError(
                f"{', '.join(lost)}: parts failed, and without them there is nothing to decide. "
                "The same command again runs only these parts"
            )

    def keep(self, step: str, store: Callable[[T], object]) -> Callable[[Timed[T]], None]:
        """For a job without follow-ups: store its result, add its CPU seconds to ``step``."""

        def then(done: Timed[T]) -> None:
            store(done.value)
            self.seconds[step] += done.seconds

        return then


def first_line(error: Exception) -> str:
    """The first line of an error, with its type unless it is one of ours."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    ours = type(error).__module__.startswith("foldproof.")
    return text if ours else ": ".join(filter(None, [type(error).__name__, text]))


def fit_variants(experiment: Experiment, panel: Path, plan: Plan, screen: Screen) -> Fitted:
    """Train every unit; attribute and audit a variant as soon as its units are trained.

    A unit that fails is noted, and the others go on.
    """
    fitted = Fitted(common=load(panel), paths=plan.paths)
    fitted.tuned = tune(experiment, panel, plan, screen)
    fitted.seconds["tune"] += fitted.tuned.seconds
    for name, why in fitted.tuned.failed.items():
        fitted.missing[name] = f"tuning: {why}"
        screen.say(f"{name:<22} failed, tuning: {why}")
    screen.engine(lstm_engine(experiment.network, experiment.training))
    jobs = [
        job
        for variant in experiment.variants
        if variant not in fitted.missing
        for job in variant_jobs(experiment, variant, panel, plan, fitted, screen)
    ]
    jobs[1:1] = shared_jobs(experiment, panel, plan, fitted)
    for name in experiment.references:
        jobs += reference_jobs(experiment, name, panel, plan, fitted, screen)
    follow_ups = (1 + bool(experiment.attribution.samples)) * len(experiment.variants)
    screen.follow(jobs, later=follow_ups)
    return fitted


def variant_jobs(
    experiment: Experiment, variant: str, panel: Path, plan: Plan, fitted: Fitted, screen: Screen
) -> list[Job]:
    """One job per unit; the last one to finish returns the variant's audit and attribution."""
    panel = training_panel(experiment, variant, panel)
    fingerprint = load(panel).fingerprint
    tuned = fitted.tuned.setting(variant)
    network = experiment.network_of(variant, tuned.network)
    units = [
        Unit(variant, fold, seed, network, tuned.training, fingerprint, plan.hash)
        for fold in plan.folds
        for seed in experiment.seeds
    ]
    trained = fitted.trained.setdefault(variant, [])
    lose = partial(fitted.lose, variant, screen=screen)

    def keep(done: Timed[TrainedUnit]) -> list[Job] | None:
        trained.append(without_forecasts(done.value))
        fitted.hashes[done.value.unit.key] = table_hash(done.value.forecasts)
        fitted.seconds["train"] += done.seconds
        if len(trained) < len(units):  # for ever, if one has failed
            return None
        trained.sort(key=lambda one: (one.unit.fold.number, one.unit.seed))
        audit = partial(submitted, diagnose, trained, experiment.audit, panel)
        store_findings = fitted.keep("diagnose", keep_findings)
        jobs = [Job(f"audit {variant}", audit, store_findings, lose(part="leak audit"))]
        spec = experiment.attribution
        if spec.samples:
            explain = partial(submitted, attribute, trained, spec, panel, experiment.data)
            store = partial(fitted.attributions.__setitem__, variant)
            keep_all = fitted.keep("attribute", store)
            jobs.append(Job(f"attribute {variant}", explain, keep_all, lose(part="attribution")))
        return jobs

    def keep_findings(found: tuple[Finding, ...]) -> None:
        fitted.findings[variant] = found
        rank_ic = daily(partial(fitted.tables_of, trained)).to_numpy().mean()
        screen.variant(variant, rank_ic, str(overall(found)))

    return [
        Job(
            f"train {variant} fold {unit.fold.number}",
            partial(submitted, train, unit, panel),
            keep,
            lose(part=f"fold {unit.fold.number} seed {unit.seed}"),
        )
        for unit in units
    ]


def shared_jobs(experiment: Experiment, panel: Path, plan: Plan, fitted: Fitted) -> list[Job]:
    """The audits of the features and of the plan."""
    features = partial(submitted, audit_panel_features, experiment.data, experiment.audit, panel)
    folds = partial(
        submitted, audit_folds, (*plan.tuning, *plan.folds), experiment.split.embargo, panel
    )
    jobs = []
    for subject, submit in (("features", features), ("folds", folds)):
        store = partial(fitted.shared.__setitem__, subject)
        jobs.append(Job(f"audit {subject}", submit, fitted.keep("diagnose", store)))
    return jobs


def reference_jobs(
    experiment: Experiment, name: str, panel: Path, plan: Plan, fitted: Fitted, screen: Screen
) -> list[Job]:
    """One job per fold of a reference forecaster."""
    window, seed = experiment.network.window, experiment.seeds[0]

    def reference(fold: Fold) -> Job:
        given: dict[str, Any] = {
            "name": name, "fold": fold, "window": window, "seed": seed, "panel": panel,
        }  # fmt: skip
        key = reference_key(None, given)

        def store(table: pd.DataFrame) -> None:
            fitted.references[f"{PREFIX}{name}", fold.number] = key
            fitted.hashes[key] = table_hash(table)

        return Job(
            f"reference {name} fold {fold.number}",
            partial(submitted, forecast_reference, **given),
            fitted.keep("references", store),
            fitted.lose(f"{PREFIX}{name}", f"fold {fold.number}", screen),
        )

    return [reference(fold) for fold in plan.folds]
