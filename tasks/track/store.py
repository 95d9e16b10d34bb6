"""The tracking store: opened once, in the parent process, under an absolute address."""

import os
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import url2pathname, urlopen

from mlflow import MlflowClient
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _initialize_tables
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from foldproof.tasks.data.address import masked, secrets_in, shown, without_user
from foldproof.tasks.files import draft_of, publish
from foldproof.tasks.lock import locked
from foldproof.tasks.program import program
from foldproof.tasks.track.outage import NoAnswerError, is_outage, reason
from foldproof.tasks.track.process import process_tags
from foldproof.tasks.track.spec import TrackingSpec

SQLITE = "sqlite:///"
BUSY = 20.0
"""Seconds to wait for an embedded database that another process writes, beyond SQLite's own."""
PATIENCE = 5.0
"""Seconds to wait for a tracking server."""
LOCAL_UI = "http://127.0.0.1:5000"
UI_ADDRESS = "FOLDPROOF_MLFLOW_UI"
"""Environment variable: address of a UI that already runs on the embedded store."""
NO_RUNS: Mapping[str, str] = MappingProxyType({})
WORKFLOW = "workflowType=machine_learning"
"""Selects the pages for machine learning: without it the UI opens those for generative AI."""


class TrackingError(ValueError):
    """The tracking store cannot be used; the message says why and what to do."""


class DownError(TrackingError, NoAnswerError):
    """The tracking server does not answer."""


@dataclass(frozen=True)
class Store:
    """An open tracking store and the experiment in it.

    Attributes:
        client: A client of ``uri``, independent of the process's global tracking URI.
        experiment_id: The experiment of the runs.
        uri: Absolute address of the store.
        origin: Tags of every run that is created: the user, the program, the Git commit.
    """

    client: MlflowClient
    experiment_id: str
    uri: str
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Links:
    """Where a comparison was logged.

    Attributes:
        summary_run_id: The run with the answers.
        variant_run_ids: One run per variant.
        url: The charts of all of them in the MLflow UI.
        report: The report on the summary run, in the MLflow UI.
        command: Starts that UI; empty for a tracking server, which is running.
        file: The report on this machine; empty if the artifacts are on a server.
    """

    summary_run_id: str
    variant_run_ids: Mapping[str, str]
    url: str
    report: str
    command: str
    file: str = ""

    @property
    def sent(self) -> bool:
        """Whether the run is in the store; else it waits in the outbox."""
        return not self.summary_run_id.startswith(MADE_UP)


def resolve_uri(spec: TrackingSpec) -> str:
    """Absolute address of the store: the environment's, the spec's, or the embedded SQLite file.

    A relative SQLite path depends on the working directory, which differs between workers, so it is
    made absolute here.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or spec.uri or f"{SQLITE}.foldproof/mlflow.db"
    path = database(uri)
    return f"{SQLITE}{path.resolve()}" if path else uri


def database(uri: str) -> Path | None:
    """The file of a SQLite address; None for any other."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def lock_file(uri: str, name: str) -> Path:
    """The file of the lock ``name`` of a store.

    It lies beside an embedded database, so that all working directories that use the database share
    it. For any other store it lies in the working directory: processes elsewhere do not see it.
    """
    path = database(uri)
    return (path.parent if path else Path(".foldproof").resolve()) / "locks" / name


def one_writer(store: Store, name: str) -> AbstractContextManager[None]:
    """Only one process at a time writes what is called ``name``: a comparison's id, a model."""
    return locked(lock_file(store.uri, f"write-{name}"), quiet)


MADE_UP = "outbox"
"""Beginning of the ids of runs and models that wait in the outbox."""
REGISTRY = "registry"
"""The lock of whoever moves an alias: the decision of a retraining, or a rollback."""


def quiet(_: str) -> None:
    """Wait without a word: these locks are held for seconds."""


def open_store(spec: TrackingSpec) -> Store:
    """Open the store; create the database and the experiment if missing.

    One process at a time opens an embedded database: two that migrate it at once both fail.

    Raises:
        TrackingError: A server does not answer, the address is not supported, or the experiment
            was deleted.
    """
    uri = resolve_uri(spec)
    path = database(uri)
    if not path:
        require_answer(uri)
    end = time.monotonic() + BUSY
    while True:
        try:
            with locked(lock_file(uri, "database"), quiet) if path else nullcontext():
                if path and not path.exists():
                    create_database(path)
                client = MlflowClient(tracking_uri=uri)
                experiment = client.get_experiment_by_name(spec.experiment)
                experiment = experiment or _create(client, spec, path)
            break
        except (MlflowException, SQLAlchemyError, ModuleNotFoundError) as error:  # no driver
            if path and "database is locked" in str(error) and time.monotonic() < end:
                time.sleep(0.5)  # another command writes
                continue
            kind = DownError if is_outage(error) else TrackingError
            why = masked(reason(error), secrets_in(uri))
            raise kind(f"the tracking store {shown(uri)} cannot be used: {why}") from None
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"experiment {spec.experiment!r} was deleted in {shown(uri)}: restore it there, or set "
            "tracking.experiment to another name"
        )
    return Store(client, experiment.experiment_id, uri, process_tags())


def create_database(path: Path) -> None:
    """Create MLflow's tables in a SQLite file, which appears when all of them are there.

    Interrupted in the middle, MLflow's own migration leaves a file that no later command can open.
    """
    with draft_of(path) as draft:
        engine = create_engine(f"{SQLITE}{draft}")
        try:
            _initialize_tables(engine)
        finally:
            engine.dispose()
        publish(draft, path)


def _create(client: MlflowClient, spec: TrackingSpec, path: Path | None) -> Experiment:
    """Create the experiment; if another process was faster, take its experiment."""
    place = (path.parent / "artifacts").as_uri() if path else None
    try:
        return client.get_experiment(client.create_experiment(spec.experiment, place))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        found = client.get_experiment_by_name(spec.experiment)
        if found is None:
            raise
        return found


def require_answer(uri: str) -> None:
    """Raise TrackingError unless the server at an http address answers within seconds.

    MLflow itself would retry for minutes first.
    """
    if urlsplit(uri).scheme not in ("http", "https"):
        return
    try:
        address, _ = without_user(uri)
        with urlopen(f"{address.rstrip('/')}/health", timeout=PATIENCE):
            return
    except HTTPError:
        return  # a server answers; the first call shows whether it grants access
    except OSError as error:
        raise DownError(
            f"no tracking server answers at {shown(uri)} ({error}): start it, or unset "
            "MLFLOW_TRACKING_URI and tracking.uri to use the embedded store"
        ) from error


def links_to(
    store: Store,
    comparison: str,
    run_id: str,
    variants: Mapping[str, str] = NO_RUNS,
    file: str = "report.html",
) -> Links:
    """Where the runs of a comparison, an audit or a study are.

    Args:
        store: Where they were logged.
        comparison: Value of their tag ``comparison``.
        run_id: The summary run.
        variants: Runs by variant.
        file: The artifact to open; empty for all artifacts.
    """
    page = run_url(store, run_id, "/artifacts" + f"/{file}" * bool(file))
    folder = artifact_folder(store.client.get_run(run_id))
    return Links(
        summary_run_id=run_id,
        variant_run_ids=dict(variants),
        url=charts_url(store, comparison),
        report=page,
        command=ui_command(store),
        file=str(folder / file) if folder else "",
    )


def artifact_folder(run: Run) -> Path | None:
    """The artifacts of a run on this machine; None if they are on a server."""
    place = urlsplit(run.info.artifact_uri)
    return Path(url2pathname(place.path)) if place.scheme in ("", "file") else None


def charts_url(store: Store, comparison: str) -> str:
    """Address of the charts of one comparison's runs."""
    query = {
        "compareRunsMode": "CHART",
        "searchFilter": f"tags.comparison = {in_quotes(comparison)}",
    }
    return f"{runs_page(store)}?{WORKFLOW}&{urlencode(query, quote_via=quote)}"


def run_url(store: Store, run_id: str, part: str = "") -> str:
    """Address of a run, or of a part of it such as ``/artifacts``, in the UI of the store."""
    return f"{runs_page(store)}/{run_id}{part}?{WORKFLOW}"


OLDEST, NEWEST = "attributes.start_time ASC", "attributes.start_time DESC"
"""Orders of runs: the first, or the last, one first."""


def runs_in(store: Store, where: str, *order: str, page: int = 1000) -> Iterator[Run]:
    """The runs of the experiment that a filter selects, by default the oldest first.

    Args:
        store: Where they are.
        where: The filter, as MLflow writes it.
        order: Columns by which they are sorted.
        page: Runs that are read at a time, when they are asked for.
    """
    token = None
    while True:
        found = store.client.search_runs(
            [store.experiment_id], where,
            max_results=page, order_by=[*(order or [OLDEST])], page_token=token,
        )  # fmt: skip
        yield from found
        token = found.token
        if not token:
            return


def newest_runs(store: Store, where: str, most: int) -> list[Run]:
    """The newest runs that a filter selects, at most ``most``."""
    return list(islice(runs_in(store, where, NEWEST, page=most), most))


def in_quotes(text: str) -> str:
    """``text`` as a filter of MLflow writes it.

    Raises:
        TrackingError: It holds both kinds of quotes, for which MLflow has no escape.
    """
    mark = '"' if "'" in text else "'"
    if mark in text:
        raise TrackingError(f"{text!r} holds both kinds of quotes, so MLflow cannot search for it")
    return f"{mark}{text}{mark}"


def runs_page(store: Store) -> str:
    """Address of the experiment's runs in the UI of the store."""
    base = (
        without_user(store.uri)[0].rstrip("/")
        if store.uri.startswith("http")
        else os.environ.get(UI_ADDRESS, LOCAL_UI)
    )
    return f"{base}/#/experiments/{store.experiment_id}/runs"


def ui_command(store: Store) -> str:
    """The command that starts the UI on the store; empty where one runs already."""
    if store.uri.startswith("http") or UI_ADDRESS in os.environ:
        return ""
    default = store.uri == resolve_uri(TrackingSpec())  # the same in the user's shell
    setting = "" if default else f"MLFLOW_TRACKING_URI={shlex.quote(shown(store.uri))} "
    return f"{setting}{program('foldproof', 'foldproof.flows')} ui"
