"""The Prefect tasks of this step: log to the tracking store, and read from it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import task

from foldproof.tasks.data import DataSpec, load_raw
from foldproof.tasks.operate.evidence import Champion
from foldproof.tasks.operate.monitor import Monitoring
from foldproof.tasks.operate.record import Retraining, Settled
from foldproof.tasks.operate.scoring import Scoring
from foldproof.tasks.operate.tested_dates import Evidence
from foldproof.tasks.report.batch_study.results import StudyResults
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.audit import Audit, log_leak_audit, write_audit
from foldproof.tasks.track.comparison import log_comparison
from foldproof.tasks.track.find_model import ModelPlace, fetch_model
from foldproof.tasks.track.forecaster import files_by_variant, forecaster_files
from foldproof.tasks.track.registry import find_champion, settle
from foldproof.tasks.track.retraining import find_evidence, log_retraining
from foldproof.tasks.track.runs import SUMMARY, finished_runs
from foldproof.tasks.track.scoring import log_monitoring_run, log_scoring
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import Links, open_store
from foldproof.tasks.track.study import log_batch_study, write_study
from foldproof.tasks.train import TrainedUnit


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


@task(name="find tested dates")
def evidence_of(spec: TrackingSpec, model: str) -> Evidence:
    """The dates on which challengers of a registered model were tested so far."""
    return find_evidence(open_store(spec), model)


@task(name="log retraining to mlflow")
def log_retrained(
    spec: TrackingSpec,
    record: Retraining,
    features: tuple[str, ...],
    data: DataSpec,
    importance: Mapping[str, float],
) -> str:
    """One run with the decision, and the best challenger as a model; the run's id.

    The model stores the importance of its features in its test block, which monitoring compares
    with later importance.
    """
    store, chosen = open_store(spec), record.chosen
    with TemporaryDirectory() as folder:
        model = None
        if chosen is not None:
            raw = load_raw(data)
            model = forecaster_files(chosen, features, data, raw, Path(folder), importance)
        return log_retraining(store, record, model)


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
) -> Links:
    """One summary run, one run per variant beside it, and a model for each of ``models``."""
    store = open_store(spec)
    features, raw = tuple(results.panel_summary["features"]), load_raw(data)
    with TemporaryDirectory() as folder:
        importance = results.attribution.importance
        files = files_by_variant(models, features, data, raw, Path(folder), importance)
        return log_comparison(store, results, report, files)


@task(name="log study to mlflow")
def log_study(
    spec: TrackingSpec, results: StudyResults, figures: dict[str, bytes], folder: Path
) -> Links:
    """One run with all results; the same files in ``folder``."""
    write_study(results, figures, folder)
    return log_batch_study(open_store(spec), results, figures)


@task(name="log audit to mlflow")
def log_audit(spec: TrackingSpec, audit: Audit, report: Report, folder: Path) -> Links:
    """One run with all results; the same files in ``folder``."""
    write_audit(audit, report, folder)
    return log_leak_audit(open_store(spec), audit, report)


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
    return log_scoring(open_store(spec), scoring, table)


@task(name="log monitoring to mlflow")
def log_monitoring(
    spec: TrackingSpec, monitoring: Monitoring, report: Report, dates: int, home: Path
) -> Path:
    """Numbers, figure and alerts to the run of the champion's version, and to ``home``."""
    log_monitoring_run(open_store(spec), monitoring, report, dates)
    folder = home / monitoring.model
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "monitoring.md").write_text(report.page, encoding="utf-8")
    (folder / "realised.png").write_bytes(report.figures["realised"])
    return folder
