"""The Prefect tasks of this step: the gate and its decision, a night's scores, monitoring."""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from foldproof.tasks.data import DataSpec, TargetSpec, build, load, load_raw
from foldproof.tasks.operate.decision import Challenger, Decision, Incumbent
from foldproof.tasks.operate.evidence import Champion, champion_forecasts, stretch_of
from foldproof.tasks.operate.gate import decide
from foldproof.tasks.operate.importance import importance_when_tested
from foldproof.tasks.operate.night import night_of
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
from foldproof.tasks.operate.watch import Watch, watch_of
from foldproof.tasks.operate.watch_words import lines, page
from foldproof.tasks.split import Fold
from foldproof.tasks.timing import Timed, timed
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.model import read_served
from foldproof.tasks.train.serving.record import served_of

EVENT = "foldproof.alert."
"""Events begin with this; the alarm's key follows."""


@task(name="forecast with champion")
def forecast_champion(
    champion: Champion, data: DataSpec, panel: Path, folds: tuple[Fold, ...]
) -> Timed[pd.DataFrame]:
    """The champion's own forecasts of the stretch, from raw rows, out of its sample only."""

    def forecasts() -> pd.DataFrame:
        served = read_served(champion.weights, champion.notes)
        rows = stretch_of(folds)
        return champion_forecasts(served, load_raw(data), load(panel), champion, rows)

    return timed(forecasts)


@task(name="attribute challenger")
def challenger_importance(
    trained: TrainedUnit, features: tuple[str, ...], data: DataSpec, samples: int
) -> dict[str, float]:
    """Importance of each feature in the unit's test block, on ``samples`` windows; sums to 1."""
    served = served_of(trained, features, data)
    return importance_when_tested(served, served.laid(load_raw(data)), trained.unit.fold, samples)


@task(name="decide")
def decide_champion(
    challengers: Sequence[Challenger],
    champion: Incumbent | None,
    spec: GateSpec,
    horizon: int,
    stale: int,
) -> Decision:
    """Who is champion tomorrow, and why."""
    return decide(challengers, champion, spec, horizon, stale)


@task(name="show decision in prefect")
def show_decision(settled: Settled) -> None:
    """The decision as an artifact of the flow run."""
    create_markdown_artifact(
        f"{settled.sentence}\n\n{settled.page}",
        key=f"retraining-{settled.retraining_id}",
        description=settled.sentence,
    )


@task(name="score rows")
def score_rows(champion: Champion, data: DataSpec, operation: OperationSpec) -> Scoring:
    """The champion on the newest rows of ``data`` as of the night, and what the checks say."""
    night = night_of(operation.model, champion, load_raw(data), night_date(operation))
    return scoring_of(night, operation.score)


def night_date(operation: OperationSpec) -> date:
    """The night.

    Raises:
        ValueError: Nobody said which.
    """
    if operation.as_of is None:
        raise ValueError("a flow begins with experiment.tonight(), which says what night it is")
    return operation.as_of


@task(name="keep scores")
def keep_scores(scoring: Scoring, home: Path) -> Path | None:
    """The file of the night's table; None where the night was refused."""
    return None if scoring.refused else write_scores(scoring, home)


@task(name="show checks in prefect")
def show_checks(scoring: Scoring) -> None:
    """The checks as an artifact of the flow run."""
    create_markdown_artifact(
        markdown(scoring), key=artifact_key("score", scoring.model), description=sentence(scoring)
    )


@task(name="watch champion")
def watch_champion(
    champion: Champion, data: DataSpec, target: TargetSpec, operation: OperationSpec, home: Path
) -> Watch:
    """What past scores were worth, and how far features and attribution have moved."""
    night = night_of(operation.model, champion, load_raw(data), night_date(operation))
    scores, panel = read_scores(home, operation.model), build(data, target)
    return watch_of(night, scores, panel, target.horizon, operation)


@task(name="show alerts in prefect")
def show_alerts(seen: Watch) -> None:
    """What was seen as an artifact of the flow run, and an event for each alert.

    The page of the newest night replaces the last one; events are what automations listen to.
    """
    create_markdown_artifact(
        page(seen), key=artifact_key("monitor", seen.model), description=lines(seen)[0]
    )
    for name, text in seen.alerts.items():
        resource = {
            "prefect.resource.id": f"foldproof.model.{seen.model}",
            "prefect.resource.name": seen.model,
            "foldproof.version": seen.version,
        }
        about = {"night": str(seen.night), "variant": seen.variant, "message": text}
        emit_event(EVENT + name, resource, payload=about)


def artifact_key(*parts: str) -> str:
    """What Prefect takes as a key: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
