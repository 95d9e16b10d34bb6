"""The Prefect tasks of this step: the gate, a night's scores, monitoring."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd
from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from foldproof.tasks.data import DataSpec, TargetSpec, load, load_raw
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.data.panel.panel import panel_of
from foldproof.tasks.data.panel.read import read
from foldproof.tasks.diagnose.findings.finding import Finding, overall
from foldproof.tasks.markdown import escaped
from foldproof.tasks.operate.monitoring.monitor import Monitoring, monitoring_of
from foldproof.tasks.operate.monitoring.monitor_text import lines, page
from foldproof.tasks.operate.nightly_inputs import night_of
from foldproof.tasks.operate.nights.scoring import (
    Scoring,
    markdown,
    scoring_of,
    sentence,
    write_scores,
)
from foldproof.tasks.operate.retraining.decision import Decision
from foldproof.tasks.operate.retraining.evidence import (
    Champion,
    challenger_of,
    champion_forecasts,
    incumbent_of,
)
from foldproof.tasks.operate.retraining.gate import decide
from foldproof.tasks.operate.retraining.record import Settled
from foldproof.tasks.operate.retraining.tested_dates import Evidence
from foldproof.tasks.operate.spec import GateSpec, OperationSpec
from foldproof.tasks.split import Fold
from foldproof.tasks.train.serving.model import read_served

EVENT = "foldproof.alert."
"""Prefix of an alert's event name; the key of the alarm follows."""


@task(name="decide")
def decide_champion(
    forecasts: Mapping[str, pd.DataFrame],
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
        forecasts: The challengers' forecasts of the test blocks, by variant.
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
        known = champion_forecasts(served, rows_of(panel, data), content, champion, folds)
        incumbent = incumbent_of(champion, known, folds)
    challengers = [
        challenger_of(variant, overall(findings[variant]), table, known, content, folds)
        for variant, table in forecasts.items()
    ]
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


@task(name="score rows", tags=["source"])
def score_rows(
    champion: Champion, data: DataSpec, operation: OperationSpec, kept: Path | None = None
) -> Scoring:
    """Score the newest rows of ``data`` up to the night and check them.

    ``kept`` is the folder of the rows that ``data.incremental`` keeps.
    """
    raw = load_raw(data, kept)
    night = night_of(operation.model, champion, raw, night_date(operation), operation.calendar)
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


@task(name="monitor champion", tags=["source"])
def monitor_champion(
    champion: Champion,
    data: DataSpec,
    target: TargetSpec,
    operation: OperationSpec,
    scores: pd.DataFrame,
    kept: Path | None = None,
) -> Monitoring:
    """Compare past scores with labels, and features and attribution with training.

    Args:
        champion: The version to monitor.
        data: Source of the rows, which is read once.
        target: What is forecast.
        operation: The night and the bounds of the alerts.
        scores: All past scores: date, symbol, score, version.
        kept: Folder of the rows that ``data.incremental`` keeps.
    """
    rows = read(data, kept=kept)
    when, calendar = night_date(operation), operation.calendar
    night = night_of(operation.model, champion, rows.frame, when, calendar)
    panel = panel_of(rows, data, target, None)
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
