"""The Prefect tasks of this step: log to the tracking store, and read from it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pandas as pd
from prefect import task

from foldproof.tasks.data import DataSpec
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.operate.monitoring.importance import importance_when_tested
from foldproof.tasks.operate.monitoring.monitor import Monitoring
from foldproof.tasks.operate.nights.scoring import Scoring
from foldproof.tasks.operate.retraining.record import Retraining, Settled
from foldproof.tasks.program import program
from foldproof.tasks.report.batch_study.results import StudyResults
from foldproof.tasks.report.panel_study.results import PanelStudyResults
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.files import write_files
from foldproof.tasks.track.model.find_model import fetch_model
from foldproof.tasks.track.model.forecaster import files_by_variant, forecaster_files
from foldproof.tasks.track.model.registry import find_champion, settle
from foldproof.tasks.track.outage import is_outage
from foldproof.tasks.track.outbox.task import linked, reading, store_errors, writing
from foldproof.tasks.track.results.audit import Audit, audit_files, log_leak_audit
from foldproof.tasks.track.results.comparison import find_comparison, log_comparison
from foldproof.tasks.track.results.comparison_entries import variant_params
from foldproof.tasks.track.results.listing import earlier_trials
from foldproof.tasks.track.results.panel_study import log_study_of_panels, panel_study_files
from foldproof.tasks.track.results.retraining import find_evidence, log_retraining
from foldproof.tasks.track.results.scoring import log_monitoring_run, log_scoring, scores_of_model
from foldproof.tasks.track.results.study import log_batch_study, study_files
from foldproof.tasks.track.runs import SUMMARY, finished_runs
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import (
    MADE_UP,
    REGISTRY,
    Links,
    Store,
    TrackingError,
    one_writer,
    open_store,
)
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.record import served_of

R = TypeVar("R")


@task(name="find tracking store")
def find_store(spec: TrackingSpec) -> str:
    """Check before the training that the store can be used; return its address.

    It does not wait for a store that does not answer: nothing is lost yet.
    """
    with store_errors(spec):
        return open_store(spec).uri


champion_of = reading("find champion")(find_champion)
evidence_of = reading("find tested dates")(find_evidence)
find_model = reading("fetch model")(fetch_model)


@reading("find retraining")
def retraining_of(store: Store, retraining_id: str) -> str | None:
    """The finished run of the same retraining; None if there is none."""
    return finished_runs(store, retraining_id).get(SUMMARY)


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


def at_once(
    read: Callable[[TrackingSpec, Results], R], spec: TrackingSpec, results: Results, instead: R
) -> R:
    """What ``read`` finds; ``instead`` if the store does not answer: a later step waits for it."""
    try:
        return read(replace(spec, patience=0.0), results)
    except Exception as error:
        if not is_outage(error):
            raise
        return instead


def find_logged(spec: TrackingSpec, results: Results) -> Links | None:
    """The same; None, too, if the store does not answer: what logs the results waits for it."""
    return at_once(finished_comparison, spec, results, None)


@reading("count earlier trials")
def trials_in(store: Store, results: Results) -> int:
    """Other configurations compared before in the experiment of the store."""
    own = [variant_params(results, name) for name in results.candidates]
    return earlier_trials(store, results.comparison_id, own)


def with_earlier(spec: TrackingSpec, results: Results) -> Results:
    """The results with the number of earlier trials; without it if the store does not answer."""
    return replace(results, earlier=at_once(trials_in, spec, results, results.earlier))


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
        return linked(store, log_comparison(store, results, report, files), "comparison")


@writing("log study to mlflow", lambda results, *_: results.study_id)
def log_study(
    store: Store, results: StudyResults, figures: dict[str, bytes], folder: Path
) -> Links:
    """One run with all results; the same files in ``folder``."""
    write_files(study_files(results, figures), folder)
    return linked(store, log_batch_study(store, results, figures), "study")


@writing("log study to mlflow", lambda results, *_: results.study_id)
def log_panel_study(
    store: Store, results: PanelStudyResults, report: Report, folder: Path
) -> Links:
    """One run with all results, linked to the runs of the panels; the same files in ``folder``."""
    write_files(panel_study_files(results, report), folder)
    return linked(store, log_study_of_panels(store, results, report), "study")


@writing("log audit to mlflow", lambda audit, *_: audit.audit_id)
def log_audit(store: Store, audit: Audit, report: Report, folder: Path) -> Links:
    """One run with all results; the same files in ``folder``."""
    write_files(audit_files(audit, report), folder)
    return linked(store, log_leak_audit(store, audit, report), "audit")


@writing("log explanation to mlflow", lambda run_id, name, *_: f"{run_id[:8]}-{name}")
def log_explanation(store: Store, run_id: str, name: str, report: Report, home: Path) -> Path:
    """Text and figures to the model's run, under ``explanations``, and to a folder in ``home``."""
    folder = home / run_id[:8] / name
    figures = ((f"{key}.png", png) for key, png in report.figures.items())
    write_files([("explanation.md", report.page), *figures], folder)
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
    figure = "realised.png", report.figures["realised"]
    write_files([("monitoring.md", report.page), figure], folder)
    return folder
