import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import mlflow
import pytest

from foldproof.tasks.program import program
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import (
    Store,
    TrackingError,
    charts_url,
    open_store,
    require_answer,
    resolve_uri,
    shown,
    ui_command,
)


def test_the_default_is_a_file_under_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_uri(TrackingSpec()) == f"sqlite:///{tmp_path}/.foldproof/mlflow.db"


def test_a_relative_database_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_uri(TrackingSpec(uri="sqlite:///runs.db")) == f"sqlite:///{tmp_path}/runs.db"


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert resolve_uri(TrackingSpec(uri="sqlite:///runs.db")) == "http://tracker:5000"


@pytest.mark.parametrize("uri", ["file:///runs", "./mlruns", "/runs", ""])
def test_a_folder_is_no_store(uri: str) -> None:
    with pytest.raises(ValueError, match="tracking needs a server or a database"):
        TrackingSpec(uri=uri)


def test_opening_again_finds_the_same_experiment(spec: TrackingSpec) -> None:
    assert open_store(spec).experiment_id == open_store(spec).experiment_id


def test_artifacts_lie_beside_the_database(store: Store, tmp_path: Path) -> None:
    experiment = store.client.get_experiment(store.experiment_id)
    assert experiment.artifact_location == (tmp_path / "artifacts").as_uri()


def test_opening_leaves_the_process_as_it_was(spec: TrackingSpec) -> None:
    before = mlflow.get_tracking_uri()
    open_store(spec)
    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None


def test_a_deleted_experiment_is_an_error(spec: TrackingSpec, store: Store) -> None:
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(TrackingError, match="experiment 'test' was deleted"):
        open_store(spec)


def test_a_server_that_is_down_fails_fast() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(TrackingError, match="no tracking server answers at http://127"):
        open_store(TrackingSpec(uri=address))
    assert time.monotonic() - start < 8


@pytest.mark.parametrize("status", [200, 401, 404])
def test_a_server_that_answers_is_tried(status: int) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            require_answer(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()


def test_link_opens_the_charts_of_one_comparison(store: Store) -> None:
    fragment = urlsplit(charts_url(store, "abc")).fragment
    query = parse_qs(urlsplit(fragment).query)
    assert urlsplit(fragment).path == f"/experiments/{store.experiment_id}/runs"
    assert query == {
        "workflowType": ["machine_learning"],
        "compareRunsMode": ["CHART"],
        "searchFilter": ["tags.comparison = 'abc'"],
    }


def test_command_starts_the_ui_on_this_store(store: Store, monkeypatch) -> None:
    command = program("foldproof", "foldproof.flows")
    assert ui_command(store) == f"MLFLOW_TRACKING_URI={store.uri} {command} ui"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    assert ui_command(store) == f"{command} ui"
    assert ui_command(Store(store.client, "1", "http://tracker:5000")) == ""


def test_passwords_are_not_shown() -> None:
    assert shown("postgresql://me:secret@db/x") == "postgresql://me:***@db/x"
    assert shown("sqlite:////x.db") == "sqlite:////x.db"
