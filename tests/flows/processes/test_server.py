"""Our servers refuse web pages of foreign origins and foreign host names."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from foldproof.flows.commands.shell import SETTINGS
from foldproof.flows.processes.api import Server
from foldproof.flows.processes.mlflow_ui import mlflow_ui
from foldproof.flows.processes.server import MORE_HOSTS, OwnPagesOnly, own_hosts, own_origins
from foldproof.tasks.track.spec import TrackingSpec
from tests.flows.served import ROOT, environment, free_port, until
from tests.tasks.track.conftest import OTHERS_WARNINGS

SCRIPT = str(ROOT / "flows" / "processes" / "server.py")
pytestmark = [pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS]

FOREIGN_ORIGINS = (
    "http://evil.example",
    "https://evil.example:443",
    "null",
    "http://127.0.0.1.evil.example:{port}",
    "http://127.0.0.1:1",
    "http://localhost:{port}@evil.example",
    "http://evil@127.0.0.1:{port}",
    "file://127.0.0.1:{port}",
    "http://127.0.0.1:{port}x",
    "",
)
FOREIGN_HOSTS = ("evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "[::1", "")


async def answer_200(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"reached"})


def status(host: str, *origins: str, hosts: tuple[str, ...] = ("127.0.0.1", "localhost")) -> int:
    """Status of a request with these headers to a guarded application."""
    headers = [(b"host", host.encode()), *((b"origin", one.encode()) for one in origins)]
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": headers}
    asyncio.run(OwnPagesOnly(answer_200, hosts)(scope, None, send))  # type: ignore[arg-type]
    return int(sent[0]["status"])


def test_programs_and_own_pages_pass():
    assert status("127.0.0.1:4200") == 200
    assert status("LOCALHOST:4200", "http://localhost:4200") == 200
    assert status("127.0.0.1:4200", "http://localhost:4200") == 200
    assert status("localhost", "https://localhost") == 200


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_foreign_origins_are_refused(origin):
    assert status("127.0.0.1:4200", origin.format(port=4200)) == 403


def test_one_foreign_origin_among_own_ones_is_refused():
    assert status("127.0.0.1:4200", "http://127.0.0.1:4200", "http://evil.example") == 403


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_foreign_hosts_are_refused(host):
    assert status(host.format(port=4200)) == 403


def test_further_hosts_are_a_setting(monkeypatch):
    monkeypatch.setenv(MORE_HOSTS, "flows.lan, 10.0.0.7")
    assert own_hosts() == ("127.0.0.1", "localhost", "flows.lan", "10.0.0.7")
    assert "http://flows.lan:4200" in own_origins(4200).split(",")
    assert status("flows.lan:4200", "http://flows.lan:4200", hosts=own_hosts()) == 200
    assert status("flows.lan:4200", "http://evil.example", hosts=own_hosts()) == 403


@pytest.fixture(scope="module")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server that ``foldproof serve`` starts."""
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(home))
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        server = Server(home / "serve.log", full=True)
        try:
            server.wait(240)
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.stop()


@pytest.fixture(scope="module")
def mlflow_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the MLflow UI that ``foldproof serve`` and ``foldproof ui`` start."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SQLAlchemy's, of MLflow's own code
            ui = mlflow_ui(TrackingSpec(), free_port(), folder / "mlflow.log")
            with ui as (address, _):
                yield address


def from_page(url: str, method: str, origin: str, body: Any = None, **headers: str):
    """What a page of ``origin`` sends with ``fetch``."""
    sent = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"} | headers
    content = None if body is None else json.dumps(body)
    return httpx.request(method, url, headers=sent, content=content, timeout=60)


def created(url: str, content: Any) -> str:
    """The id of what the API makes; a busy SQLite answers 503, on which clients ask again."""
    for _ in range(20):
        answer = httpx.post(url, json=content, timeout=60)
        if answer.status_code != 503:
            break
        time.sleep(1)
    return str(answer.raise_for_status().json()["id"])


JSON = {"Content-Type": "application/json"}
SIMPLE = {"Content-Type": "text/plain"}
"""A content type that browsers send without asking first."""


@pytest.mark.slow
def test_a_page_cannot_make_the_prefect_server_run_a_command(prefect_api, tmp_path):
    api, evil = f"{prefect_api}/api", "http://evil.example"
    asked = {"Access-Control-Request-Method": "PATCH"}
    asked |= {"Access-Control-Request-Headers": "content-type"}
    before = from_page(f"{api}/deployments/", "OPTIONS", evil, **asked)
    assert (before.status_code, "access-control-allow-origin" in before.headers) == (403, False)
    flow = created(f"{api}/flows/", {"name": "own"})
    own = f"{api}/deployments/{created(f'{api}/deployments/', {'name': 'own', 'flow_id': flow})}"
    shell = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {tmp_path}/PWNED"}}
    for headers in (JSON, SIMPLE):
        assert from_page(own, "PATCH", evil, {"pull_steps": [shell]}, **headers).status_code == 403
        asked_for = from_page(f"{own}/create_flow_run", "POST", evil, {}, **headers)
        assert asked_for.status_code == 403
    rebound = httpx.get(f"{api}/deployments/{own}", headers={"Host": "evil.example"})
    assert rebound.status_code == 403
    assert not httpx.get(own).raise_for_status().json()["pull_steps"]
    runs = httpx.post(f"{api}/flow_runs/filter", json={}).raise_for_status().json()
    assert runs == []


@pytest.mark.slow
def test_the_prefect_ui_still_works(prefect_api):
    assert "<html" in httpx.get(prefect_api, follow_redirects=True).text.lower()
    own = from_page(f"{prefect_api}/api/flows/filter", "POST", prefect_api, {}, **JSON)
    assert own.status_code == 200
    port = prefect_api.rpartition(":")[2]
    asked = {"Access-Control-Request-Method": "POST"}
    by_name = from_page(
        f"{prefect_api}/api/flows/filter", "OPTIONS", f"http://localhost:{port}", **asked
    )
    assert by_name.headers["access-control-allow-origin"] == f"http://localhost:{port}"


@pytest.mark.slow
def test_a_schedule_makes_runs(prefect_api):
    """Prefect 3.8 with SQLAlchemy 2.1 made none; only the server's log said so."""
    api = f"{prefect_api}/api"
    plan = {"schedule": {"cron": "0 18 * * *", "timezone": "America/New_York"}, "active": True}
    deployment = {"name": "nightly", "flow_id": created(f"{api}/flows/", {"name": "nightly"})}
    made = created(f"{api}/deployments/", deployment | {"schedules": [plan]})
    only = {"deployments": {"id": {"any_": [made]}}}
    end = time.monotonic() + 60
    while not (runs := httpx.post(f"{api}/flow_runs/filter", json=only, timeout=60).json()):
        assert time.monotonic() < end, "no run is scheduled"
        time.sleep(1)
    assert {one["state_type"] for one in runs} == {"SCHEDULED"}


@pytest.mark.slow
def test_a_page_cannot_open_a_websocket(prefect_api):
    url = prefect_api.replace("http", "ws") + "/api/events/in"
    with pytest.raises(InvalidStatus, match="403"), connect(url, origin="http://evil.example"):
        pass
    with connect(url, origin=prefect_api):  # type: ignore[arg-type]
        pass


@pytest.mark.slow
def test_a_page_cannot_use_the_mlflow_server(mlflow_api):
    create = f"{mlflow_api}/api/2.0/mlflow/experiments/create"
    for headers in (JSON, SIMPLE):
        sent = from_page(create, "POST", "http://evil.example", {"name": "evil"}, **headers)
        assert sent.status_code == 403
    search = f"{mlflow_api}/api/2.0/mlflow/experiments/search"
    assert httpx.get(search, headers={"Host": "evil.example"}).status_code == 403
    assert (
        "access-control-allow-origin"
        not in from_page(
            create, "OPTIONS", "http://evil.example", **{"Access-Control-Request-Method": "POST"}
        ).headers
    )
    found = httpx.get(search, params={"max_results": 10}).raise_for_status().json()
    assert "evil" not in {one["name"] for one in found["experiments"]}


@pytest.mark.slow
def test_the_server_of_a_server_setup_asks_for_its_password(tmp_path: Path):
    """As ``conf/server/run prefect`` starts it, on SQLite instead of PostgreSQL."""
    port, log = free_port(), tmp_path / "log"
    more = {"PREFECT_HOME": str(tmp_path), "PREFECT_SERVER_API_AUTH_STRING": "foldproof:s3cret"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", SCRIPT, "127.0.0.1", str(port)],
            cwd=tmp_path, env=environment(**more), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        api = f"http://127.0.0.1:{port}/api"
        until(lambda: httpx.get(f"{api}/health").is_success, 240, log)
        assert httpx.post(f"{api}/flows/filter", json={}).status_code == 401
        wrong = httpx.post(f"{api}/flows/filter", json={}, auth=("foldproof", "guess"))
        assert wrong.status_code == 401
        right = httpx.post(f"{api}/flows/filter", json={}, auth=("foldproof", "s3cret"))
        assert right.status_code == 200
        evil = httpx.post(
            f"{api}/flows/filter", json={}, auth=("foldproof", "s3cret"),
            headers={"Origin": "http://evil.example"},
        )  # fmt: skip
        assert evil.status_code == 403
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, -signal.SIGINT), log.read_text()


def test_a_port_in_use_is_reported(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-P", SCRIPT, "127.0.0.1", str(port)],
            cwd=tmp_path, env=os.environ, capture_output=True, text=True,
        )  # fmt: skip
    assert (done.returncode, "cannot listen on" in done.stderr) == (1, True)


@pytest.mark.slow
def test_a_client_without_an_address_starts_no_server(tmp_path: Path) -> None:
    """Prefect's own has no guard against foreign pages."""
    own = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    done = subprocess.run(
        [sys.executable, "-c", "import prefect; prefect.get_client(sync_client=True)"],
        cwd=tmp_path, env=own | SETTINGS | {"PREFECT_HOME": str(tmp_path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "No Prefect API URL provided" in done.stderr
