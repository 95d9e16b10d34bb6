"""The Prefect task of this step: everything into the tracking store."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import task

from foldproof.tasks.data import DataSpec, load_raw
from foldproof.tasks.operate.evidence import Champion
from foldproof.tasks.operate.importance import importance_when_tested
from foldproof.tasks.operate.record import Retraining, Settled
from foldproof.tasks.operate.scoring import Scoring
from foldproof.tasks.operate.watch import Watch
from foldproof.tasks.report import Report, Results
from foldproof.tasks.report.batch_study.results import StudyResults
from foldproof.tasks.track.audit import Audit, log_leak_audit, write_audit
from foldproof.tasks.track.fetch import ModelPlace, fetch_model
from foldproof.tasks.track.forecaster import files_by_variant, forecaster_files
from foldproof.tasks.track.log import log_comparison
from foldproof.tasks.track.registry import find_champion, settle
from foldproof.tasks.track.retraining import find_retraining, log_retraining
from foldproof.tasks.track.scoring import log_scoring, log_watch
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import Links, open_store
from foldproof.tasks.track.study import log_batch_study, write_study
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.record import served_of


@task(name="find tracking store")
def find_store(spec: TrackingSpec) -> str:
    """Make sure, before hours of training, that there is something to log to; its address."""
    return open_store(spec).uri


@task(name="find champion")
def champion_of(spec: TrackingSpec, model: str, folder: Path) -> Champion | None:
    """The registered champion, its files brought to ``folder``; None where there is none."""
    return find_champion(open_store(spec), model, folder)


@task(name="find retraining")
def retraining_of(spec: TrackingSpec, retraining_id: str) -> str | None:
    """The finished run of the same retraining, where there is one."""
    return find_retraining(open_store(spec), retraining_id)


@task(name="log retraining to mlflow")
def log_retrained(
    spec: TrackingSpec,
    record: Retraining,
    features: tuple[str, ...],
    data: DataSpec,
    samples: int,
) -> str:
    """One run with the decision, and the best challenger as a model; the run's id.

    The model holds what its features were worth in its test block, of ``samples`` windows, so that
    monitoring has something to compare with.
    """
    store, chosen = open_store(spec), record.chosen
    with TemporaryDirectory() as folder:
        model = None
        if chosen is not None:
            raw, served = load_raw(data), served_of(chosen, features, data)
            laid = served.inputs(raw)
            own = importance_when_tested(served, laid, chosen.unit.fold, samples)
            model = forecaster_files(chosen, features, data, raw, Path(folder), own, laid)
        return log_retraining(store, record, model)


@task(name="settle in registry")
def settle_retraining(spec: TrackingSpec, run_id: str) -> Settled:
    """Version and aliases as the run says; done again, it changes nothing."""
    return settle(open_store(spec), run_id)


@task(name="log to mlflow")
def log_results(
    spec: TrackingSpec,
    results: Results,
    report: Report,
    models: Iterable[TrainedUnit],
    data: DataSpec,
) -> Links:
    """One summary run, one run a variant beside it, and a model for each of ``models``."""
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
    """One run with everything; the same files in ``folder``."""
    write_study(results, figures, folder)
    return log_batch_study(open_store(spec), results, figures)


@task(name="log audit to mlflow")
def log_audit(spec: TrackingSpec, audit: Audit, report: Report, folder: Path) -> Links:
    """One run with everything; the same files in ``folder``."""
    write_audit(audit, report, folder)
    return log_leak_audit(open_store(spec), audit, report)


@task(name="fetch model")
def find_model(spec: TrackingSpec, name: str, folder: Path) -> ModelPlace:
    """A logged model's files, brought to this machine."""
    return fetch_model(open_store(spec), name, folder)


@task(name="log explanation to mlflow")
def log_explanation(spec: TrackingSpec, run_id: str, name: str, report: Report, home: Path) -> Path:
    """Text and figure to the model's run, under ``explanations``, and below ``home``."""
    folder = home / run_id[:8] / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "explanation.md").write_text(report.page, encoding="utf-8")
    for key, png in report.figures.items():
        (folder / f"{key}.png").write_bytes(png)
    open_store(spec).client.log_artifacts(run_id, str(folder), f"explanations/{name}")
    return folder


@task(name="log night to mlflow")
def log_night(spec: TrackingSpec, scoring: Scoring, table: Path | None) -> str:
    """Checks and table to the run of the champion's version; its id."""
    return log_scoring(open_store(spec), scoring, table)


@task(name="log monitoring to mlflow")
def log_monitoring(spec: TrackingSpec, seen: Watch, report: Report, dates: int, home: Path) -> Path:
    """Numbers, figure and alerts to the run of the champion's version, and below ``home``."""
    log_watch(open_store(spec), seen, report, dates)
    folder = home / seen.model
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "monitoring.md").write_text(report.page, encoding="utf-8")
    (folder / "realised.png").write_bytes(report.figures["realised"])
    return folder
