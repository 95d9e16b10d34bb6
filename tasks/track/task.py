"""The Prefect tasks of this step: log to the tracking store, and read from it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from prefect import task
from prefect.artifacts import create_link_artifact
from prefect.runtime import flow_run
from prefect.settings import get_current_settings

from foldproof.tasks.data import DataSpec
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.operate.evidence import Champion
from foldproof.tasks.operate.importance import importance_when_tested
from foldproof.tasks.operate.monitor import Monitoring
from foldproof.tasks.operate.record import Retraining, Settled
from foldproof.tasks.operate.scoring import Scoring
from foldproof.tasks.report.batch_study.results import StudyResults
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.audit import Audit, log_leak_audit, write_audit
from foldproof.tasks.track.comparison import log_comparison
from foldproof.tasks.track.find_model import ModelPlace, fetch_model
from foldproof.tasks.track.forecaster import files_by_variant, forecaster_files
from foldproof.tasks.track.registry import find_champion, settle
from foldproof.tasks.track.retraining import log_retraining
from foldproof.tasks.track.runs import SUMMARY, finished_runs
from foldproof.tasks.track.scoring import log_monitoring_run, log_scoring, scores_of_model
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import Links, Store, run_url
from foldproof.tasks.track.store import open_store as opened
from foldproof.tasks.track.study import log_batch_study, write_study
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.record import served_of


def open_store(spec: TrackingSpec) -> Store:
    """The store; runs that are created in it name the Prefect flow run."""
    store = opened(spec)
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
    if flow_run.id:
        text = f"{what}: the run in MLflow"
        create_link_artifact(run_url(store, run_id), text, key=f"mlflow-{what}", description=text)
    return run_id


@task(name="find tracking store")
def find_store(spec: TrackingSpec) -> str:
    """Check before the training that the store can be used; return its address."""
    return open_store(spec).uri


@task(name="find champion")
def champion_of(spec: TrackingSpec, model: str, folder: Path) -> Champion | None:
    """The registered champion with its files in ``folder``; None if there is none."""
    return find_champion(open_store(spec), model, folder)


@task(name="find retraining")
def retraining_of(spec: TrackingSpec, retraining_id: str) -> str | None:
    """The finished run of the same retraining; None if there is none."""
    return finished_runs(open_store(spec), retraining_id).get(SUMMARY)


@task(name="log retraining to mlflow")
def log_retrained(
    spec: TrackingSpec,
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
    store, chosen = open_store(spec), record.chosen
    with TemporaryDirectory() as folder:
        model = None
        if chosen is not None:
            raw, served = rows_of(panel, data), served_of(chosen, features, data)
            dense, fold = served.inputs(raw), chosen.unit.fold
            own = importance_when_tested(served, dense, fold, samples)
            model = forecaster_files(chosen, features, data, raw, Path(folder), own, dense)
        return linked(store, log_retraining(store, record, model), "retraining")


@task(name="settle in registry")
def settle_retraining(spec: TrackingSpec, run_id: str) -> Settled:
    """Apply the decision of the run to version and aliases; repeatable."""
    return settle(open_store(spec), run_id)


@task(name="log to mlflow")
def log_results(
    spec: TrackingSpec,
    results: Results,
    report: Report,
    models: Iterable[TrainedUnit],
    data: DataSpec,
    panel: Path | None = None,
) -> Links:
    """One summary run, one run per variant beside it, and a model for each of ``models``.

    ``panel`` is the folder of the panel and its rows; None to read the source again.
    """
    store = open_store(spec)
    features, raw = tuple(results.panel_summary["features"]), rows_of(panel, data)
    with TemporaryDirectory() as folder:
        importance = results.attribution.importance
        files = files_by_variant(models, features, data, raw, Path(folder), importance)
        links = log_comparison(store, results, report, files)
    linked(store, links.summary_run_id, "comparison")
    return links


@task(name="log study to mlflow")
def log_study(
    spec: TrackingSpec, results: StudyResults, figures: dict[str, bytes], folder: Path
) -> Links:
    """One run with all results; the same files in ``folder``."""
    write_study(results, figures, folder)
    store = open_store(spec)
    links = log_batch_study(store, results, figures)
    linked(store, links.summary_run_id, "study")
    return links


@task(name="log audit to mlflow")
def log_audit(spec: TrackingSpec, audit: Audit, report: Report, folder: Path) -> Links:
    """One run with all results; the same files in ``folder``."""
    write_audit(audit, report, folder)
    store = open_store(spec)
    links = log_leak_audit(store, audit, report)
    linked(store, links.summary_run_id, "audit")
    return links


@task(name="fetch model")
def find_model(spec: TrackingSpec, name: str, folder: Path) -> ModelPlace:
    """The files of a logged model, downloaded to ``folder``."""
    return fetch_model(open_store(spec), name, folder)


@task(name="log explanation to mlflow")
def log_explanation(spec: TrackingSpec, run_id: str, name: str, report: Report, home: Path) -> Path:
    """Text and figures to the model's run, under ``explanations``, and to a folder in ``home``."""
    folder = home / run_id[:8] / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "explanation.md").write_text(report.page, encoding="utf-8")
    for key, png in report.figures.items():
        (folder / f"{key}.png").write_bytes(png)
    open_store(spec).client.log_artifacts(run_id, str(folder), f"explanations/{name}")
    return folder


@task(name="log night to mlflow")
def log_night(spec: TrackingSpec, scoring: Scoring, table: Path | None) -> str:
    """Checks and scores to the run of the champion's version; the run's id."""
    store = open_store(spec)
    return linked(store, log_scoring(store, scoring, table), "scores")


@task(name="read scores from mlflow")
def past_scores(spec: TrackingSpec, model: str) -> pd.DataFrame:
    """All past scores of a model, whichever machine scored them."""
    with TemporaryDirectory() as folder:
        return scores_of_model(open_store(spec), model, Path(folder))


@task(name="log monitoring to mlflow")
def log_monitoring(
    spec: TrackingSpec, monitoring: Monitoring, report: Report, dates: int, home: Path
) -> Path:
    """Numbers, figure and alerts to the run of the champion's version, and to ``home``."""
    store = open_store(spec)
    linked(store, log_monitoring_run(store, monitoring, report, dates), "monitoring")
    folder = home / monitoring.model
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "monitoring.md").write_text(report.page, encoding="utf-8")
    (folder / "realised.png").write_bytes(report.figures["realised"])
    return folder
