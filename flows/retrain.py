"""Retrain on the newest data; a gate decides whether a new model becomes the champion."""

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow

from foldproof.conf.load import to_yaml
from foldproof.conf.schema import Experiment
from foldproof.flows.audit import audit_variants
from foldproof.flows.checks import check_experiment, ready_panel
from foldproof.flows.flow_runs.in_part import require_sent
from foldproof.flows.flow_runs.this_run import due, night_name
from foldproof.flows.processes.alone import alone
from foldproof.flows.processes.workers import Workers
from foldproof.flows.screens.audit import AuditScreen
from foldproof.flows.screens.comparison import Screen
from foldproof.flows.variants import Fitted, fit_variants
from foldproof.tasks.data import load
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.operate.retraining.evidence import Champion
from foldproof.tasks.operate.retraining.record import Retraining, Settled
from foldproof.tasks.operate.sessions import sessions_after
from foldproof.tasks.operate.task import decide_champion, night_date, show_decision
from foldproof.tasks.split import walk_forward_of
from foldproof.tasks.split.task import Plan, plan_folds
from foldproof.tasks.timing import Stopwatch
from foldproof.tasks.track.model.registry import roll_back
from foldproof.tasks.track.store import REGISTRY, one_writer, open_store
from foldproof.tasks.track.task import (
    champion_of,
    evidence_of,
    find_store,
    log_retrained,
    retraining_of,
    settle_retraining,
)
from foldproof.tasks.train import HOUSE, code_version, digest, variant_version
from foldproof.tasks.train.tuning import TuningSpec

Findings = dict[str, tuple[Finding, ...]]


@flow(name="retrain", flow_run_name=night_name, description=__doc__, task_runner=Workers())
def retrain(experiment: Experiment) -> Settled:
    """Retrain, or find the same earlier retraining, and apply its decision to the registry."""
    night, screen, watch = experiment.tonight(due()), Screen(), Stopwatch()
    with TemporaryDirectory() as folder:
        with watch("data and plan"):
            find_store(night.tracking)
            champion = champion_of(night.tracking, night.operation.model, Path(folder))
            trial = trial_of(night, champion)
            panel = ready_panel(trial.data, trial.target)
            plan = plan_folds(trial.split, panel)
        key = retraining_id(night, panel, plan)
        with alone(night.tracking, "retraining", key, screen.say):
            run_id = retraining_of(night.tracking, key) or new_retraining(
                trial, key, champion, panel, plan, screen, watch
            )
            require_sent()  # the decision is applied when it has been sent
            settled = settle_retraining(night.tracking, run_id)
    show_decision(settled)
    screen.say(settled.sentence)
    return settled


def trial_of(night: Experiment, champion: Champion | None) -> Experiment:
    """What to train: the champion's variant and the challengers on the newest folds.

    With ``statistics.ensemble`` all seeds are trained and their ensemble is registered; otherwise
    only the first seed: one network is registered, so its own forecasts are the evidence. A
    retraining has no reference forecasters, attributions or tuning.
    """
    own = [champion.variant] if champion else []
    return night.model_copy(
        update={
            "variants": tuple(dict.fromkeys([*own, *night.variants])),
            "split": replace(
                walk_forward_of(night.split, "a retraining"),
                keep=night.operation.gate.folds,
                anchor="end",
            ),
            "references": (),
            "seeds": night.seeds if night.statistics.ensemble else night.seeds[:1],
            "attribution": replace(night.attribution, samples=0),
            "tuning": TuningSpec(),
        }
    )


def retraining_id(night: Experiment, panel: Path, plan: Plan) -> str:
    """Hash of everything that decides a retraining except the champion.

    A night's retraining is therefore decided once, even if the champion has since been moved or
    rolled back.
    """
    settings = night.model_dump(mode="json", exclude={"tracking", "compute", "operation"})
    operation = night.operation
    rules = operation.model, str(operation.as_of), operation.calendar, str(operation.gate)
    own = [variant_version(name) for name in night.variants]
    fingerprint = load(panel).fingerprint
    code = code_version(HOUSE)
    return digest("retraining", settings, rules, fingerprint, plan.hash, own, code)[:12]


def new_retraining(
    trial: Experiment,
    key: str,
    champion: Champion | None,
    panel: Path,
    plan: Plan,
    screen: Screen,
    watch: Stopwatch,
) -> str:
    """Train, audit, decide and log; the id of the run. The registry is not changed here.

    Nothing is trained if the data are too old.
    """
    gate, fitted, findings = trial.operation.gate, Fitted(), Findings()
    screen.opening(trial.name, panel, plan)
    newest = load(panel).dates[-1].item()
    stale = sessions_after(newest, night_date(trial.operation), trial.operation.calendar)
    if stale <= gate.max_age:
        with watch("units"):
            fitted = fit_variants(trial, panel, plan, screen)
        fitted.require(trial.variants)
        with watch("audits"):
            findings = audit_challengers(trial, plan, fitted, panel)
    with watch("comparison"):
        decision = decide_champion(
            fitted.scored, findings, champion, trial.data, panel, plan.folds,
            gate, trial.target.horizon, stale, evidence_of(trial.tracking, trial.operation.model),
        )  # fmt: skip
    seconds = watch.seconds | {f"cpu/{step}": spent for step, spent in fitted.seconds.items()}
    content, night = load(panel), str(trial.operation.as_of)
    chosen = next(
        (one for one in fitted.newest(trial) if one.unit.variant == decision.variant), None
    )
    record = Retraining(
        retraining_id=key,
        title=f"{trial.name}: retraining of {night}",
        model=trial.operation.model,
        night=night,
        decision=decision,
        chosen=chosen,
        panel=content.fingerprint,
        plan=plan.hash,
        code_version=code_version(HOUSE),
        config=trial.model_dump(mode="json"),
        config_yaml=to_yaml(trial),
        findings=findings,
        seconds=seconds,
    )
    samples = trial.operation.monitor.samples
    return log_retrained(trial.tracking, record, content.features, trial.data, samples, panel)


def audit_challengers(trial: Experiment, plan: Plan, fitted: Fitted, panel: Path) -> Findings:
    """Findings by variant: of its units, of features and folds, of a quick audit from raw rows."""
    reports, _ = audit_variants(trial, plan.folds[-1], True, AuditScreen(), panel)
    return {name: (*fitted.findings_of(name), *reports[name].findings) for name in trial.variants}


def run_retrain(experiment: Experiment, api: AbstractContextManager[None]) -> Settled:
    """Report what the user can correct, then run the flow."""
    with check_experiment(trial_of(experiment.tonight(), None)), api:
        return retrain(experiment)


def run_rollback(experiment: Experiment, version: str, _: object) -> str:
    """Move the champion alias back; the move in one sentence. No Prefect API is needed."""
    model, store = experiment.operation.model, open_store(experiment.tracking)
    with one_writer(store, REGISTRY):
        move = roll_back(store, model, version)
    text = f"rolled back {model}: from version {move.before} to version {move.after}"
    Screen().say(text)
    return text
