"""The Prefect tasks of this step: log to the tracking store, and read from it.

A store that does not answer is asked again for ``tracking.patience`` seconds. What cannot be logged
even then is kept in the outbox (see :mod:`~foldproof.tasks.track.outbox`).
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial, wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import uuid4

import pandas as pd
from prefect import Task, task
from prefect.artifacts import create_link_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.settings import get_current_settings

from foldproof.tasks.data import DataSpec
from foldproof.tasks.data.address import masked, secrets_in
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.operate.evidence import Champion
from foldproof.tasks.operate.importance import importance_when_tested
from foldproof.tasks.operate.monitor import Monitoring
from foldproof.tasks.operate.record import Retraining, Settled
from foldproof.tasks.operate.scoring import Scoring
from foldproof.tasks.operate.tested_dates import Evidence
from foldproof.tasks.program import program
from foldproof.tasks.report.batch_study.results import StudyResults
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from foldproof.tasks.task import started
from foldproof.tasks.track import outbox
from foldproof.tasks.track.audit import Audit, log_leak_audit, write_audit
from foldproof.tasks.track.comparison import find_comparison, log_comparison
from foldproof.tasks.track.find_model import ModelPlace, fetch_model
from foldproof.tasks.track.forecaster import files_by_variant, forecaster_files
from foldproof.tasks.track.outage import STORE_ERRORS, is_outage, reason
from foldproof.tasks.track.registry import find_champion, settle
from foldproof.tasks.track.retraining import find_evidence, log_retraining
from foldproof.tasks.track.runs import SUMMARY, finished_runs
from foldproof.tasks.track.scoring import log_monitoring_run, log_scoring, scores_of_model
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import (
    MADE_UP,
    REGISTRY,
    Links,
    Store,
    TrackingError,
    one_writer,
    open_store,
    resolve_uri,
    run_url,
    shown,
)
from foldproof.tasks.track.study import log_batch_study, write_study
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.record import served_of

P = ParamSpec("P")
R = TypeVar("R")

TAG = "mlflow"
"""Tag of the tasks that use the tracking store, for concurrency limits."""
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
"""Seconds before the first repetition, and most seconds between two."""


def named(store: Store) -> Store:
    """The store; runs that are created in it name the Prefect flow run."""
    return replace(store, origin={**store.origin, **flow_run_tags()})


def flow_run_tags() -> dict[str, str]:
    """Id, name and address of the running flow run; no address if its server has no UI."""
    if not flow_run.id:
        return {}
    found = {
        "mlflow.source.name": f"foldproof {flow_run.flow_name}",
        "prefect.flow_run_id": str(flow_run.id),
        "prefect.flow_run": str(flow_run.name),
    }
    if get_current_settings().server.ui.enabled:
        found["prefect.flow_run_url"] = str(flow_run.ui_url)
    return found


def linked(store: Store, run_id: str, what: str) -> str:
    """The run's id, after a link to it became an artifact of the flow run."""
    if flow_run.id and not run_id.startswith(MADE_UP):
        text = f"{what}: the run in MLflow"
        create_link_artifact(run_url(store, run_id), text, key=f"mlflow-{what}", description=text)
    return run_id


def delays(patience: float) -> list[float]:
    """Seconds to wait before each repetition; they double, and add up to ``patience``."""
    found: list[float] = []
    left, delay = patience, FIRST_DELAY
    while left > 0:
        found.append(min(delay, LONGEST_DELAY, left))
        left -= found[-1]
        delay *= 2
    return found


def patient(work: Task[..., R], spec: TrackingSpec) -> Task[..., R]:
    """The task, repeated while the store does not answer, for ``spec.patience`` seconds."""
    waits, end = delays(spec.patience), time.monotonic() + spec.patience
    said: list[str] = []

    def again(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
        error = state.data
        if not isinstance(error, BaseException) or not is_outage(error):
            return False
        repeat = time.monotonic() < end
        if repeat and not said:
            said.append(masked(reason(error), secrets_in(resolve_uri(spec))))
            print(
                f"the tracking store does not answer ({said[0]}); trying again for "
                f"{spec.patience:g} seconds",
                flush=True,
            )
        return repeat

    return work.with_options(
        retries=len(waits), retry_delay_seconds=waits or 0, retry_condition_fn=again
    )


@contextmanager
def store_errors(spec: TrackingSpec) -> Iterator[None]:
    """Turn the errors of MLflow, its database and its HTTP client into one sentence."""
    try:
        yield
    except STORE_ERRORS as error:
        uri = resolve_uri(spec)
        why = masked(reason(error), secrets_in(uri))
        raise TrackingError(f"the tracking store {shown(uri)} failed: {why}") from error


Arguments = tuple[Any, ...]
Reading = Callable[Concatenate[Store, P], R]
Tracked = Callable[Concatenate[TrackingSpec, P], R]


def reading(name: str) -> Callable[[Reading[P, R]], Tracked[P, R]]:
    """Make a function on a store a task on its settings, repeated while the store is down."""

    def decorate(read: Reading[P, R]) -> Tracked[P, R]:
        def work(spec: TrackingSpec, args: Arguments, options: dict[str, Any]) -> R:
            with store_errors(spec):
                return read(named(open_store(spec)), *args, **options)

        inner = task(name=name, tags=[TAG], cache_policy=NO_CACHE)(work)

        @wraps(read)
        def call(spec: TrackingSpec, *args: P.args, **options: P.kwargs) -> R:
            return started(patient(inner, spec))(spec, args, options)

        return call

    return decorate


def writing(name: str, key: Callable[..., str]) -> Callable[[Reading[P, R]], Tracked[P, R]]:
    """The same for a function that logs: what cannot be sent is kept in the outbox.

    Args:
        name: Name of the task.
        key: From the function's arguments to what is written: the id of a comparison, or a model
            with version and night. One process at a time writes it, and it is kept once.
    """

    def decorate(write: Reading[P, R]) -> Tracked[P, R]:
        def work(spec: TrackingSpec, what: str, args: Arguments, options: dict[str, Any]) -> R:
            with store_errors(spec):
                store = named(open_store(spec))
                with one_writer(store, what):
                    found = write(store, *args, **options)
            outbox.discard(what)
            return found

        inner = task(name=name, tags=[TAG], cache_policy=NO_CACHE)(work)

        @wraps(write)
        def call(spec: TrackingSpec, *args: P.args, **options: P.kwargs) -> R:
            what = key(*args, **options)
            try:
                return started(patient(inner, spec))(spec, what, args, options)
            except Exception as error:
                if not is_outage(error):
                    raise
                again = partial(write_with, write, args, options)
                return started(keep)(spec, what, error, again)

        return call

    return decorate


def write_with(
    write: Callable[..., R], args: Arguments, options: dict[str, Any], store: Store
) -> R:
    """``write`` on a store, with its other arguments."""
    return write(store, *args, **options)


@task(name="keep for sync", cache_policy=NO_CACHE)
def keep(spec: TrackingSpec, key: str, error: Exception, write: Callable[[Store], R]) -> R:
    """Keep what ``write`` logs in the outbox and say so; returns what ``write`` returns."""
    why = masked(reason(error), secrets_in(resolve_uri(spec)))
    with outbox.recording(spec, key, why, flow_run_id()) as store:
        found = write(named(store))
    print(
        f"{why}. The results are kept in {outbox.OUTBOX / outbox.folder_name(key)}: send "
        f"them later with {program('foldproof', 'foldproof.flows')} sync",
        flush=True,
    )
    return found


def flow_run_id() -> str:
    """Id of the running flow; outside a flow an id of this process."""
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else process_id()


@cache
def process_id() -> str:
    """An id that no other process has, or had."""
    return f"process {uuid4()}"


@task(name="find tracking store")
def find_store(spec: TrackingSpec) -> str:
    """Check before the training that the store can be used; return its address.

    It does not wait for a store that does not answer: nothing is lost yet.
    """
    with store_errors(spec):
        return open_store(spec).uri


@reading("find champion")
def champion_of(store: Store, model: str, folder: Path) -> Champion | None:
    """The registered champion with its files in ``folder``; None if there is none."""
    return find_champion(store, model, folder)


@reading("find retraining")
def retraining_of(store: Store, retraining_id: str) -> str | None:
    """The finished run of the same retraining; None if there is none."""
    return finished_runs(store, retraining_id).get(SUMMARY)


@reading("find tested dates")
def evidence_of(store: Store, model: str) -> Evidence:
    """The dates on which challengers of a registered model were tested so far."""
    return find_evidence(store, model)


@writing("log retraining to mlflow", lambda record, *_: record.retraining_id)
def log_retrained(
    store: Store,
    record: Retraining,
    features: tuple[str, ...],
    data: DataSpec,
    samples: int,
    panel: Path | None = None,
) -> str:
    """One run with the decision, and the best challenger as a model; the run's id.

    The model stores the importance of its features in its test block, on ``samples`` windows, which
    monitoring compares with later importance. ``panel`` is the folder of the panel and its rows.
    """
    chosen = record.chosen
    with TemporaryDirectory() as folder:
        model = None
        if chosen is not None:
            raw, served = rows_of(panel, data), served_of(chosen, features, data)
            dense, fold = served.inputs(raw), chosen.unit.fold
            own = importance_when_tested(served, dense, fold, samples)
            model = forecaster_files(chosen, features, data, raw, Path(folder), own, dense)
        return linked(store, log_retraining(store, record, model), "retraining")


@reading("settle in registry")
def settle_retraining(store: Store, run_id: str) -> Settled:
    """Apply the decision of the run to version and aliases; repeatable.

    Raises:
        TrackingError: The run waits in the outbox; ``foldproof sync`` sends it and settles it.
    """
    if run_id.startswith(MADE_UP):
        raise TrackingError(
            "the champion is unchanged, because the registry did not answer: "
            f"{program('foldproof', 'foldproof.flows')} sync applies the decision"
        )
    with one_writer(store, REGISTRY):
        return settle(store, run_id)


@reading("find comparison")
def finished_comparison(store: Store, results: Results) -> Links | None:
    """Where an earlier run of the same command logged the results; None if none has finished."""
    with one_writer(store, results.comparison_id):
        return find_comparison(store, results)


def find_logged(spec: TrackingSpec, results: Results) -> Links | None:
    """The same; None, too, if the store does not answer: what logs the results waits for it."""
    try:
        return finished_comparison(replace(spec, patience=0.0), results)
    except Exception as error:
        if not is_outage(error):
            raise
        return None


@writing("log to mlflow", lambda results, *_: results.comparison_id)
def log_results(
    store: Store,
    results: Results,
    report: Report,
    models: Iterable[TrainedUnit],
    data: DataSpec,
    panel: Path | None = None,
) -> Links:
    """One summary run, one run per variant beside it, and a model for each of ``models``.

    ``panel`` is the folder of the panel and its rows; None to read the source again.
    """
    features, raw = tuple(results.panel_summary["features"]), rows_of(panel, data)
    with TemporaryDirectory() as folder:
        importance = results.attribution.importance
        files = files_by_variant(models, features, data, raw, Path(folder), importance)
        links = log_comparison(store, results, report, files)
    linked(store, links.summary_run_id, "comparison")
    return links


@writing("log study to mlflow", lambda results, *_: results.study_id)
def log_study(
    store: Store, results: StudyResults, figures: dict[str, bytes], folder: Path
) -> Links:
    """One run with all results; the same files in ``folder``."""
    write_study(results, figures, folder)
    links = log_batch_study(store, results, figures)
    linked(store, links.summary_run_id, "study")
    return links


@writing("log audit to mlflow", lambda audit, *_: audit.audit_id)
def log_audit(store: Store, audit: Audit, report: Report, folder: Path) -> Links:
    """One run with all results; the same files in ``folder``."""
    write_audit(audit, report, folder)
    links = log_leak_audit(store, audit, report)
    linked(store, links.summary_run_id, "audit")
    return links


@reading("fetch model")
def find_model(store: Store, name: str, folder: Path) -> ModelPlace:
    """The files of a logged model, downloaded to ``folder``."""
    return fetch_model(store, name, folder)


@writing("log explanation to mlflow", lambda run_id, name, *_: f"{run_id[:8]}-{name}")
def log_explanation(store: Store, run_id: str, name: str, report: Report, home: Path) -> Path:
    """Text and figures to the model's run, under ``explanations``, and to a folder in ``home``."""
    folder = home / run_id[:8] / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "explanation.md").write_text(report.page, encoding="utf-8")
    for key, png in report.figures.items():
        (folder / f"{key}.png").write_bytes(png)
    store.client.log_artifacts(run_id, str(folder), f"explanations/{name}")
    return folder


@writing("log night to mlflow", lambda scoring, *_: f"scores-{scoring.model}-{scoring.night}")
def log_night(store: Store, scoring: Scoring, table: Path | None) -> str:
    """Checks and scores to the run of the champion's version; the run's id."""
    with one_writer(store, f"scores-{scoring.model}"):
        return linked(store, log_scoring(store, scoring, table), "scores")


@reading("read scores from mlflow")
def past_scores(store: Store, model: str) -> pd.DataFrame:
    """All past scores of a model, whichever machine scored them."""
    with TemporaryDirectory() as folder:
        return scores_of_model(store, model, Path(folder))


@writing(
    "log monitoring to mlflow",
    lambda monitoring, *_: f"monitor-{monitoring.model}-{monitoring.night}",
)
def log_monitoring(
    store: Store, monitoring: Monitoring, report: Report, dates: int, home: Path
) -> Path:
    """Numbers, figure and alerts to the run of the champion's version, and to ``home``."""
    with one_writer(store, f"scores-{monitoring.model}"):
        run_id = log_monitoring_run(store, monitoring, report, dates)
    linked(store, run_id, "monitoring")
    folder = home / monitoring.model
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "monitoring.md").write_text(report.page, encoding="utf-8")
    (folder / "realised.png").write_bytes(report.figures["realised"])
    return folder
