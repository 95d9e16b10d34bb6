"""Nights in the tracker: one run a model version, one step a day."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from mlflow.entities import Metric

from tasks.operate.scoring import Scoring, markdown, sentence
from tasks.track.runs import new_run
from tasks.track.store import Store
from tasks.track.values import NOTE, Value, metrics, tags

KIND = "scoring"
NIGHTS = "scores"
"""Folder of the tables in the run's artifacts."""


def log_scoring(store: Store, scoring: Scoring, table: Path | None) -> str:
    """Write a night to its version's run and return the run's id.

    The same night again writes the same values under the same step and time, which the tracker
    keeps once, and replaces the table.

    Args:
        store: Where to.
        scoring: The night.
        table: File of its scores; None where it was refused.
    """
    run_id = scoring_run(store, scoring.model, scoring.version, scoring.variant)
    store.client.log_batch(run_id, metrics=dated(scoring_values(scoring), scoring.night))
    if table is not None:
        store.client.log_artifact(run_id, str(table), NIGHTS)
    for tag in tags(night_tags(scoring)):
        store.client.set_tag(run_id, tag.key, tag.value)
    return run_id


def scoring_run(store: Store, model: str, version: str, variant: str) -> str:
    """The run that gathers the nights of a version; made where there is none.

    Which version it is of stands in tags, so that a version that is champion twice has one run.
    """
    own = f"tags.kind = '{KIND}' and tags.model = '{model}' and tags.version = '{version}'"
    order = ["attributes.start_time ASC"]
    found = store.client.search_runs([store.experiment_id], own, max_results=1, order_by=order)
    if found:
        return str(found[0].info.run_id)
    about = {"kind": KIND, "model": model, "version": version, "variant": variant}
    with new_run(store, f"{model} {version}: scores", about) as run_id:
        return run_id


def scoring_values(scoring: Scoring) -> Iterator[Value]:
    """Every check's statistic, how many scores there are, and whether the night was refused."""
    step = step_of(scoring.night)
    for one in scoring.checks:
        yield f"check/{one.name}", one.value, step
    count = 0 if scoring.refused else int(scoring.scores["score"].notna().sum())
    yield "score/symbols", count, step
    yield "score/refused", float(scoring.refused), step


def night_tags(scoring: Scoring) -> dict[str, str]:
    """What the newest night came to, as tags and as the run's description."""
    return {
        "night": str(scoring.night),
        "newest_row": str(scoring.newest),
        "result": str(scoring.result),
        "refused": sentence(scoring) if scoring.refused else "",
        NOTE: markdown(scoring),
    }


def dated(values: Iterator[Value], day: date) -> list[Metric]:
    """Metrics with the time of ``day``, not the clock's: written again, they are the same."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return metrics(values, int(moment.timestamp() * 1000))


def step_of(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days
