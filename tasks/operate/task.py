"""The Prefect tasks of this step: a night scored, its table kept, its checks shown."""

import re
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact

from tasks.data import DataSpec, load_raw
from tasks.operate.evidence import Champion
from tasks.operate.night import night_of
from tasks.operate.scoring import Scoring, markdown, scoring_of, sentence, write_scores
from tasks.operate.spec import OperationSpec


@task(name="score rows")
def score_rows(champion: Champion, data: DataSpec, operation: OperationSpec) -> Scoring:
    """The champion on the newest rows of ``data`` as of the night, and what the checks say."""
    if operation.as_of is None:
        raise ValueError("a flow begins with experiment.tonight(), which says what night it is")
    night = night_of(operation.model, champion, load_raw(data), operation.as_of)
    return scoring_of(night, operation.score)


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


def artifact_key(*parts: str) -> str:
    """What Prefect takes as a key: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
