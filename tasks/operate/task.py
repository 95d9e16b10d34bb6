"""The Prefect tasks of this step: a night scored, its table kept, a champion watched."""

import re
from datetime import date
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from tasks.data import DataSpec, TargetSpec, build, load_raw
from tasks.operate.evidence import Champion
from tasks.operate.night import night_of
from tasks.operate.scoring import (
    Scoring,
    markdown,
    read_scores,
    scoring_of,
    sentence,
    write_scores,
)
from tasks.operate.spec import OperationSpec
from tasks.operate.watch import Watch, watch_of
from tasks.operate.watch_words import lines, page

EVENT = "foldproof.alert."
"""Events begin with this; the alarm's key follows."""


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
