import socket
import threading
import time
import traceback
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import mlflow
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from foldproof.tasks.program import program
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import (
    Store,
    TrackingError,
    charts_url,
    in_quotes,
    open_store,
    require_answer,
    resolve_uri,
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


def test_a_database_whose_creation_is_interrupted_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: MLflow's own migration would leave tables that stop every later one."""
    spec = TrackingSpec(uri=f"sqlite:///{tmp_path}/new/mlflow.db")

    def half(engine: Engine) -> None:
        with engine.begin() as connection:
            connection.execute(text("create table spans (trace_id text)"))
        raise OperationalError("create table", {}, OSError("disk I/O error"))

    with monkeypatch.context() as patch:
        patch.setattr("foldproof.tasks.track.store._initialize_tables", half)
        with pytest.raises(TrackingError, match="disk I/O error"):
            open_store(spec)
    assert open_store(spec).client.search_experiments()
    assert not list((tmp_path / "new").glob(".draft-*"))


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


def test_a_filter_quotes_any_name_that_the_tracker_can_search() -> None:
    assert in_quotes("a") == "'a'"
    assert in_quotes("o'brien") == '"o\'brien"'
    with pytest.raises(TrackingError, match="both kinds of quotes"):
        in_quotes("'\"")


def test_a_run_with_a_quote_in_its_tag_is_found(store: Store) -> None:
    run = store.client.create_run(store.experiment_id, tags={"comparison": "o'brien"})
    found = store.client.search_runs(
        [store.experiment_id], f"tags.comparison = {in_quotes(chr(111) + chr(39) + 'brien')}"
    )
    assert [one.info.run_id for one in found] == [run.info.run_id]


SECRET_ADDRESSES = (
    "postgresql+psycopg://writer:s3cret@db:5433/mlflow", "https://writer:s3cret@tracker:8080",
    "postgresql://db/mlflow?user=writer&password=s3cret", "https://:s3cret@tracker",
)  # fmt: skip


@pytest.mark.parametrize("uri", SECRET_ADDRESSES)
def test_a_password_in_the_configuration_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"uri contains a password.*MLFLOW_TRACKING_URI") as caught:
        TrackingSpec(uri=uri)
    assert "s3c" not in str(caught.value)


@pytest.mark.parametrize("uri", SECRET_ADDRESSES)
def test_a_password_in_the_environment_is_in_no_message_and_no_link(
    uri: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr("foldproof.tasks.track.store.PATIENCE", 0.1)
    monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 1)
    with pytest.raises(TrackingError) as caught:
        open_store(TrackingSpec())
    assert "s3c" not in "".join(traceback.format_exception_only(caught.value))
    elsewhere = Store(store.client, "1", uri)
    assert "s3c" not in charts_url(elsewhere, "abc") + ui_command(elsewhere)
    assert "writer" not in charts_url(elsewhere, "abc")


def test_user_and_password_in_the_address_of_a_server_are_sent_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str | None]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(200 if self.path == "/health" else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:s3c%40ret@127.0.0.1:{port}")
        try:
            with pytest.raises(TrackingError, match="cannot be used") as caught:
                open_store(TrackingSpec())
        finally:
            server.shutdown()
    assert asked[0] == ("/health", None)
    assert asked[1][1] == f"Basic {b64encode(b'me:s3c@ret').decode()}"
    assert "s3c" not in str(caught.value)
