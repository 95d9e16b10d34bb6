"""The Prefect tasks of this step: the gate, a night's scores, monitoring."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd
from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from foldproof.tasks.data import DataSpec, TargetSpec, build, load, load_raw
from foldproof.tasks.diagnose.findings.finding import Finding, overall
from foldproof.tasks.markdown import escaped
from foldproof.tasks.operate.decision import Decision
from foldproof.tasks.operate.evidence import (
    Champion,
    challenger_of,
    champion_forecasts,
    incumbent_of,
)
from foldproof.tasks.operate.gate import decide
from foldproof.tasks.operate.importance import importance_when_tested
from foldproof.tasks.operate.monitor import Monitoring, monitoring_of
from foldproof.tasks.operate.monitor_text import lines, page
from foldproof.tasks.operate.nightly_inputs import night_of
from foldproof.tasks.operate.record import Settled
from foldproof.tasks.operate.scoring import (
    Scoring,
    markdown,
    read_scores,
    scoring_of,
    sentence,
    write_scores,
)
from foldproof.tasks.operate.spec import GateSpec, OperationSpec
from foldproof.tasks.operate.tested_dates import Evidence
from foldproof.tasks.split import Fold
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.model import read_served
from foldproof.tasks.train.serving.record import served_of

EVENT = "foldproof.alert."
"""Prefix of an alert's event name; the key of the alarm follows."""


@task(name="attribute challenger")
def challenger_importance(
    trained: TrainedUnit, features: tuple[str, ...], data: DataSpec, samples: int
) -> dict[str, float]:
    """Importance of each feature in the unit's test block, on ``samples`` windows; sums to 1."""
    served = served_of(trained, features, data)
    return importance_when_tested(served, served.inputs(load_raw(data)), trained.unit.fold, samples)


@task(name="decide")
def decide_champion(
    trained: Mapping[str, Sequence[TrainedUnit]],
    findings: Mapping[str, Sequence[Finding]],
    champion: Champion | None,
    data: DataSpec,
    panel: Path,
    folds: tuple[Fold, ...],
    spec: GateSpec,
    horizon: int,
    stale: int,
    past: Evidence,
) -> Decision:
    """Compare the challengers with the champion's own forecasts, and decide which one is champion.

    Args:
        trained: The challengers' units, by variant.
        findings: Findings of their leak audits, by variant.
        champion: None where there is none.
        data: Source of the raw rows that the champion scores.
        panel: File of the panel.
        folds: The newest plan; models are compared on its test blocks.
        spec: The rules of the gate.
        horizon: Rows that a label spans.
        stale: Business days from the newest row to the night.
        past: The dates tested on earlier nights.
    """
    content, known, incumbent = load(panel), None, None
    if champion is not None:
        served = read_served(champion.weights, champion.notes)
        known = champion_forecasts(served, load_raw(data), content, champion, folds)
        incumbent = incumbent_of(champion, known, folds)
    challengers = [
        challenger_of(
            variant, overall(findings[variant]), pd.concat([one.forecasts for one in units]),
            known, content, folds,
        )
        for variant, units in trained.items()
    ]  # fmt: skip
    newest = content.dates[-1].astype(date)
    return decide(challengers, incumbent, spec, horizon, stale, newest, past)


@task(name="show decision in prefect")
def show_decision(settled: Settled) -> None:
    """The decision as an artifact of the flow run."""
    create_markdown_artifact(
        f"{escaped(settled.sentence)}\n\n{settled.page}",
        key=f"retraining-{settled.retraining_id}",
        description=settled.sentence,
    )


@task(name="score rows")
def score_rows(champion: Champion, data: DataSpec, operation: OperationSpec) -> Scoring:
    """Score the newest rows of ``data`` up to the night and check them."""
    night = night_of(operation.model, champion, load_raw(data), night_date(operation))
    return scoring_of(night, operation.score)


def night_date(operation: OperationSpec) -> date:
    """The night; raises ValueError where ``as_of`` is not set."""
    if operation.as_of is None:
        raise ValueError("operation.as_of is not set: begin the flow with experiment.tonight()")
    return operation.as_of


@task(name="keep scores")
def keep_scores(scoring: Scoring, home: Path) -> Path | None:
    """Write the night's scores and return the file; None for a refused night."""
    return None if scoring.refused else write_scores(scoring, home)


@task(name="show checks in prefect")
def show_checks(scoring: Scoring) -> None:
    """The checks as an artifact of the flow run."""
    create_markdown_artifact(
        markdown(scoring), key=artifact_key("score", scoring.model), description=sentence(scoring)
    )


@task(name="monitor champion")
def monitor_champion(
    champion: Champion, data: DataSpec, target: TargetSpec, operation: OperationSpec, home: Path
) -> Monitoring:
    """Compare past scores with labels, and features and attribution with training."""
    night = night_of(operation.model, champion, load_raw(data), night_date(operation))
    scores, panel = read_scores(home, operation.model), build(data, target)
    return monitoring_of(night, scores, panel, target.horizon, operation)


@task(name="show alerts in prefect")
def show_alerts(found: Monitoring) -> None:
    """The page as an artifact of the flow run, and an event for each alert.

    The page replaces that of the last night; Prefect automations react to the events.
    """
    create_markdown_artifact(
        page(found), key=artifact_key("monitor", found.model), description=lines(found)[0]
    )
    for name, text in found.alerts.items():
        resource = {
            "prefect.resource.id": f"foldproof.model.{found.model}",
            "prefect.resource.name": found.model,
            "foldproof.version": found.version,
        }
        payload = {"night": str(found.night), "variant": found.variant, "message": text}
        emit_event(EVENT + name, resource, payload=payload)


def artifact_key(*parts: str) -> str:
    """A key that Prefect accepts: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
