"""Log nightly scores and monitoring: one run per model version, one step per day."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import pandas as pd
from mlflow.entities import Metric
from PIL import Image

from foldproof.tasks.operate.monitoring.monitor import Monitoring
from foldproof.tasks.operate.nights.scoring import Scoring, markdown, read_scores, sentence
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.entries import NOTE, Value, metrics, tags
from foldproof.tasks.track.runs import METRICS, chunks, new_run
from foldproof.tasks.track.store import Store, in_quotes, runs_in

KIND = "scoring"
NIGHTS = "scores"
"""Folder of the tables in the run's artifacts."""


def log_scoring(store: Store, scoring: Scoring, table: Path | None) -> str:
    """Write a night to its version's run and return the run's id.

    Repeating a night writes the same values under the same step and time, which MLflow keeps once,
    and replaces the table.

    Args:
        store: Where to log.
        scoring: The night.
        table: File of its scores; None if the night was refused.
    """
    run_id = scoring_run(store, scoring.model, scoring.version, scoring.variant)
    store.client.log_batch(run_id, metrics=dated(scoring_values(scoring), scoring.night))
    if table is not None:
        store.client.log_artifact(run_id, str(table), NIGHTS)
    store.client.log_batch(run_id, tags=tags(night_tags(scoring)))
    return run_id


def scoring_run(store: Store, model: str, version: str, variant: str) -> str:
    """The run with all nights of a version, created if missing.

    Tags identify the version, so a version that becomes champion twice keeps one run.
    """
    own = (
        f"tags.kind = '{KIND}' and tags.model = {in_quotes(model)} and "
        f"tags.version = {in_quotes(version)}"
    )
    if found := next(runs_in(store, own, page=1), None):
        return str(found.info.run_id)
    about = {"kind": KIND, "model": model, "version": version, "variant": variant}
    with new_run(store, f"{model} {version}: scores", about) as run_id:
        return run_id


def scores_of_model(store: Store, model: str, folder: Path) -> pd.DataFrame:
    """All scores of a model, read from the runs of its versions.

    Two versions may have scored one date, before and after a rollback. Each counts for itself.

    Args:
        store: Where the nights were logged, from whatever machine.
        model: Name in the model registry.
        folder: Empty folder for the downloaded tables.

    Returns:
        date, symbol, score, version; no rows if there are none.
    """
    tables = []
    for run in runs_in(store, f"tags.kind = '{KIND}' and tags.model = {in_quotes(model)}"):
        run_id = run.info.run_id
        if store.client.list_artifacts(run_id, NIGHTS):
            home = folder / run_id
            home.mkdir(parents=True)
            store.client.download_artifacts(run_id, NIGHTS, str(home))
            tables.append(read_scores(home, NIGHTS))
    return pd.concat(tables, ignore_index=True) if tables else read_scores(folder, NIGHTS)


def scoring_values(scoring: Scoring) -> Iterator[Value]:
    """The statistic of every check, the number of scores, and whether the night was refused."""
    step = step_of(scoring.night)
    for one in scoring.checks:
        yield f"check/{one.name}", one.value, step
    count = 0 if scoring.refused else int(scoring.scores["score"].notna().sum())
    yield "score/symbols", count, step
    yield "score/refused", float(scoring.refused), step


def night_tags(scoring: Scoring) -> dict[str, str]:
    """The result of the newest night as tags and as the description of the run."""
    return {
        "night": str(scoring.night),
        "newest_row": str(scoring.newest),
        "result": str(scoring.result),
        "refused": sentence(scoring) if scoring.refused else "",
        NOTE: markdown(scoring),
    }


def log_monitoring_run(store: Store, monitoring: Monitoring, report: Report, dates: int) -> str:
    """Write the results of monitoring to the run of the champion's version; return the run's id.

    The realised rank IC of a date goes to the run of the version that scored it, for the newest
    ``dates`` only, because earlier nights wrote the others. Repeating a night writes the same
    values.
    """
    for version, own in monitoring.daily[-dates:].groupby("version"):
        run_id = scoring_run(store, monitoring.model, str(version), "")
        points = [
            metric
            for stamp, value in zip(own["date"], own["rank_ic"], strict=True)
            for metric in dated([("realised/rank_ic", value, step_of(stamp.date()))], stamp.date())
        ]
        for chunk in chunks(points, METRICS):
            store.client.log_batch(run_id, metrics=chunk)
    run_id = scoring_run(store, monitoring.model, monitoring.version, monitoring.variant)
    store.client.log_batch(run_id, metrics=dated(monitoring_values(monitoring), monitoring.night))
    with Image.open(BytesIO(report.figures["realised"])) as image:
        store.client.log_image(run_id, image, "monitoring/realised.png")
    store.client.log_text(run_id, report.page, "monitoring/monitoring.md")
    store.client.log_batch(run_id, tags=tags(monitoring_tags(monitoring)))
    return run_id


def monitoring_values(monitoring: Monitoring) -> Iterator[Value]:
    """Mean realised rank IC with its interval, drift, and the number of alerts."""
    step, found = step_of(monitoring.night), monitoring.realised
    for name in ("mean", "low", "high", "dates"):
        yield f"realised/{name}", float(getattr(found, name)), step
    yield "monitor/shift", float(monitoring.shift.iloc[0]), step
    yield "monitor/tau", monitoring.tau, step
    yield "monitor/missed_nights", monitoring.missed, step
    yield "monitor/alerts", float(len(monitoring.alerts)), step


def monitoring_tags(monitoring: Monitoring) -> dict[str, str]:
    """The alerts of the newest night of monitoring, by name and as text."""
    return {
        "monitored": str(monitoring.night),
        "alerts": ", ".join(monitoring.alerts),
        "alert": "; ".join(monitoring.alerts.values()),
    }


def dated(values: Iterable[Value], day: date) -> list[Metric]:
    """Metrics with the time of ``day`` instead of now, so that repeating them changes nothing."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return metrics(values, int(moment.timestamp() * 1000))


def step_of(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days
