"""The tracking store: found or made once, in the parent process, under an absolute address."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import urlopen

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from foldproof.tasks.program import program
from foldproof.tasks.track.spec import TrackingSpec

SQLITE = "sqlite:///"
PATIENCE = 5.0
"""Seconds that a tracking server has to answer."""
LOCAL_UI = "http://127.0.0.1:5000"
UI_ADDRESS = "FOLDPROOF_MLFLOW_UI"
"""Environment variable: where a UI on the embedded store is running already."""


class TrackingError(ValueError):
    """The tracking store cannot be used; says why and what to do."""


@dataclass(frozen=True)
class Store:
    """An open tracking store and the experiment in it.

    Attributes:
        client: Talks to ``uri`` whatever the process's global tracking URI is.
        experiment_id: Gathers the runs.
        uri: Absolute address of the store.
    """

    client: MlflowClient
    experiment_id: str
    uri: str


@dataclass(frozen=True)
class Links:
    """Where a comparison was logged.

    Attributes:
        summary_run_id: The run that answers the question by itself.
        variant_run_ids: One run a variant.
        url: The charts of all of them in the MLflow UI.
        report: The report on the summary run, in the MLflow UI.
        command: Starts that UI; empty where it runs already.
    """

    summary_run_id: str
    variant_run_ids: Mapping[str, str]
    url: str
    report: str
    command: str


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


def open_store(spec: TrackingSpec) -> Store:
    """Open the store; make the database and the experiment where they do not exist.

    Call it once, in the parent, before anything writes in parallel: several processes that
    migrate one fresh database at once fail.

    Raises:
        TrackingError: A server does not answer, the address is not supported, or the experiment
            was deleted.
    """
    uri = resolve_uri(spec)
    path = database(uri)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        require_answer(uri)
    try:
        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name(spec.experiment) or _create(client, spec, path)
    except MlflowException as error:
        raise TrackingError(f"the tracking store {shown(uri)} cannot be used: {error}") from error
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"experiment {spec.experiment!r} was deleted in {shown(uri)}: restore it there, or set "
            "tracking.experiment to another name"
        )
    return Store(client, experiment.experiment_id, uri)


def _create(client: MlflowClient, spec: TrackingSpec, path: Path | None) -> Experiment:
    """Make the experiment; another process may be faster, then take its."""
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
    """Raise TrackingError unless a server at an http address answers within seconds.

    MLflow itself would retry for minutes before it says so.
    """
    if urlsplit(uri).scheme not in ("http", "https"):
        return
    try:
        with urlopen(f"{uri.rstrip('/')}/health", timeout=PATIENCE):
            return
    except HTTPError:
        return  # something answers; whether it lets us in, the first call will tell
    except OSError as error:
        raise TrackingError(
            f"no tracking server answers at {shown(uri)} ({error}): start it, or unset "
            "MLFLOW_TRACKING_URI and tracking.uri to use the embedded store"
        ) from error


def shown(uri: str) -> str:
    """The address without a password."""
    parts = urlsplit(uri)
    if not parts.password:
        return uri
    return parts._replace(netloc=f"{parts.username}:***@{parts.hostname}").geturl()


def url_of(store: Store, comparison: str) -> str:
    """Address of the charts of one comparison's runs.

    The UI opens on generative-AI pages unless told that runs are meant.
    """
    query = {
        "workflowType": "machine_learning",
        "compareRunsMode": "CHART",
        "searchFilter": f"tags.comparison = '{comparison}'",
    }
    return f"{runs_page(store)}?{urlencode(query, quote_via=quote)}"


def report_url(store: Store, run_id: str) -> str:
    """Address of the report of a summary run in the MLflow UI."""
    return f"{runs_page(store)}/{run_id}/artifacts/report.html"


def runs_page(store: Store) -> str:
    """The experiment's runs where the UI of the store is, or will be once it is started."""
    base = (
        store.uri.rstrip("/")
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
