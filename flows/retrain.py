"""Retrain on the newest data, and move the champion only through the gate."""

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from prefect import flow

from foldproof.conf.load import to_yaml
from foldproof.conf.schema import Experiment
from foldproof.flows.audit import audit_variants
from foldproof.flows.paths import PANELS
from foldproof.flows.processes.workers import Workers
from foldproof.flows.screens.audit import AuditScreen
from foldproof.flows.screens.comparison import Screen
from foldproof.flows.variants import Fitted, fit_variants
from foldproof.tasks.data import build, load
from foldproof.tasks.data.task import load_panel
from foldproof.tasks.diagnose.findings.finding import Finding, overall
from foldproof.tasks.operate.decision import Challenger, Incumbent
from foldproof.tasks.operate.evidence import Champion, business_days, challenger_of, incumbent_of
from foldproof.tasks.operate.record import Retraining, Settled
from foldproof.tasks.operate.task import decide_champion, forecast_champion, show_decision
from foldproof.tasks.split.task import Plan, plan_folds
from foldproof.tasks.timing import Stopwatch
from foldproof.tasks.track.registry import roll_back
from foldproof.tasks.track.store import open_store
from foldproof.tasks.track.task import (
    champion_of,
    find_store,
    log_retrained,
    retraining_of,
    settle_retraining,
)
from foldproof.tasks.train import HOUSE, code_version, digest, variant_version

Findings = dict[str, tuple[Finding, ...]]


@flow(name="retrain", description=__doc__, task_runner=Workers())
def retrain(experiment: Experiment) -> Settled:
    """Champion, panel and plan; challengers fitted, audited, compared; the gate; the registry."""
    night, screen, watch = experiment.tonight(), Screen(), Stopwatch()
    with TemporaryDirectory() as folder:
        with watch("data and plan"):
            find_store(night.tracking)
            champion = champion_of(night.tracking, night.operation.model, Path(folder))
            trial = trial_of(night, champion)
            panel = load_panel(trial.data, trial.target, PANELS.resolve())
            plan = plan_folds(trial.split, panel)
        key = retraining_id(night, panel, plan)
        run_id = retraining_of(night.tracking, key) or retrained(
            trial, key, champion, panel, plan, screen, watch
        )
    settled = settle_retraining(night.tracking, run_id)
    show_decision(settled)
    screen.say(settled.sentence)
    return settled


def trial_of(night: Experiment, champion: Champion | None) -> Experiment:
    """What is fitted: the champion's variant and the challengers on the newest folds.

    One seed, the first: one network is registered, so one network's forecasts are its evidence and
    not the mean of several. References and attributions are a comparison's.
    """
    own = [champion.variant] if champion else []
    variants = tuple(dict.fromkeys([*own, *night.variants]))
    split = replace(night.split, keep=night.operation.gate.folds, anchor="end")
    return night.model_copy(
        update={
            "variants": variants,
            "split": split,
            "references": (),
            "seeds": night.seeds[:1],
            "attribution": replace(night.attribution, samples=0),
        }
    )


def retraining_id(night: Experiment, panel: Path, plan: Plan) -> str:
    """Hash of all that decides a retraining but for the champion that it found.

    The same night's retraining again is the same one, also when the first has moved the champion
    or somebody has rolled it back since: it is not decided twice.
    """
    settings = night.model_dump(mode="json", exclude={"tracking", "workers", "operation"})
    operation = night.operation
    rules = operation.model, str(operation.as_of), str(operation.gate)
    own = [variant_version(name) for name in night.variants]
    fingerprint = load(panel).fingerprint
    code = code_version(HOUSE)
    return digest("retraining", settings, rules, fingerprint, plan.hash, own, code)[:12]


def retrained(
    trial: Experiment,
    key: str,
    champion: Champion | None,
    panel: Path,
    plan: Plan,
    screen: Screen,
    watch: Stopwatch,
) -> str:
    """Fit, audit, compare, decide and log; the id of the run. Data that are too old are not fitted.

    The registry is not touched here.
    """
    gate, content = trial.operation.gate, load(panel)
    night = trial.operation.as_of
    stale = business_days(content.dates[-1].item(), night) if night else 0
    fitted, findings = Fitted(), Findings()
    screen.opening(trial.name, panel, plan.folds)
    if stale <= gate.max_age:
        with watch("units"):
            fitted = fit_variants(trial, panel, plan, screen)
        with watch("audits"):
            findings = audited(trial, plan, fitted)
    with watch("comparison"):
        challengers, incumbent = evidence(trial, champion, panel, plan, fitted, findings)
        decision = decide_champion(challengers, incumbent, gate, trial.target.horizon, stale)
    chosen = next((one for one in fitted.newest if one.unit.variant == decision.variant), None)
    record = Retraining(
        retraining_id=key,
        title=f"{trial.name}: retraining of {night}",
        model=trial.operation.model,
        night=str(night),
        decision=decision,
        chosen=chosen,
        panel=content.fingerprint,
        plan=plan.hash,
        code_version=code_version(HOUSE),
        config=trial.model_dump(mode="json"),
        config_yaml=to_yaml(trial),
        findings=findings,
        seconds=watch.seconds | {f"cpu/{step}": spent for step, spent in fitted.seconds.items()},
    )
    samples = trial.operation.monitor.samples
    return log_retrained(trial.tracking, record, content.features, trial.data, samples)


def audited(trial: Experiment, plan: Plan, fitted: Fitted) -> Findings:
    """By variant: of its units, of features and folds, and of a quick run from raw rows on."""
    reports, _ = audit_variants(trial, plan.folds[-1], True, AuditScreen())
    shared = [finding for found in fitted.shared.values() for finding in found]
    return {
        name: (*fitted.findings[name], *shared, *reports[name].findings) for name in trial.variants
    }


def evidence(
    trial: Experiment,
    champion: Champion | None,
    panel: Path,
    plan: Plan,
    fitted: Fitted,
    findings: Findings,
) -> tuple[list[Challenger], Incumbent | None]:
    """What the gate is shown of every challenger and of the champion."""
    content, folds = load(panel), plan.folds
    known, incumbent = None, None
    if champion is not None:
        known = forecast_champion(champion, trial.data, panel, folds).value
        incumbent = incumbent_of(champion, known, folds)
    challengers = [
        challenger_of(
            name,
            overall(findings[name]),
            pd.concat([one.forecasts for one in trained]),
            known,
            content,
            folds,
        )
        for name, trained in fitted.trained.items()
    ]
    return challengers, incumbent


def run_retrain(experiment: Experiment, api: AbstractContextManager[None]) -> Settled:
    """Check what a user can mend, then run the flow."""
    night = experiment.tonight()
    open_store(night.tracking)
    panel = build(night.data, night.target, cache=PANELS.resolve())
    trial_of(night, None).split.folds(panel.dates, panel.label_end)
    with api:
        return retrain(experiment)


def run_rollback(experiment: Experiment, version: str, api: AbstractContextManager[None]) -> str:
    """Give the alias back; what was done in one sentence. Needs no Prefect API."""
    model = experiment.operation.model
    move = roll_back(open_store(experiment.tracking), model, version)
    text = f"rolled back {model}: from version {move.before} to version {move.after}"
    Screen().say(text)
    return text
