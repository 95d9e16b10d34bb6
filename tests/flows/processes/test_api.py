"""The embedded server starts with the command and ends with it, however the command ends."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from foldproof.flows.processes.api import Server, ServerError, one_api
from tests.flows.conftest import Place


def processes_in(folder: Path) -> list[str]:
    """Command lines of the processes that run in ``folder``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(entry / "cwd")) == folder.resolve():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has just ended, or belongs to somebody else
    return [line for line in found if line]  # a zombie has no command line


def all_gone(folder: Path, seconds: float = 10) -> bool:
    """Whether every process in ``folder`` ends within ``seconds``."""
    deadline = time.monotonic() + seconds
    while processes_in(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not processes_in(folder)


def wait_for(text: str, place: Place, seconds: float = 200) -> None:
    """Until there is a process whose command line contains ``text``."""
    deadline = time.monotonic() + seconds
    while not any(text in line for line in processes_in(place.folder)):
        assert time.monotonic() < deadline, f"no {text} was started"
        time.sleep(0.05)


def database_bytes(folder: Path) -> int:
    """Size of Prefect's database, with what is not yet written back."""
    return sum(file.stat().st_size for file in folder.glob("prefect.db*"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.slow
def test_a_wrong_setting_is_reported_and_leaves_no_server(
    place: Place,
) -> None:
    process = place.start("data.source=file", "data.path=nowhere.csv")
    wait_for("server.py", place)  # long before it answers
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2, output
    assert "nowhere.csv" in output
    assert all_gone(place.folder), processes_in(place.folder)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stop_while_the_server_starts_leaves_no_process(
    stop: signal.Signals, place: Place
) -> None:
    process = place.start()
    wait_for("server.py", place)  # long before it answers
    os.killpg(process.pid, stop)  # the whole group, as Ctrl-C in a terminal does
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    if stop is not signal.SIGKILL:
        assert output.startswith("interrupted"), output
        assert "Traceback" not in output
    assert all_gone(place.folder), processes_in(place.folder)


@pytest.mark.slow
def test_an_interruption_while_workers_start_prints_no_traceback(place: Place) -> None:
    process = place.start("compute.workers=2")
    wait_for("spawn_main", place)
    time.sleep(2)  # in the middle of their imports
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "interrupted; finished units are kept" in output
    assert "Traceback" not in output
    assert all_gone(place.folder), processes_in(place.folder)


@pytest.mark.slow
def test_a_server_killed_while_it_creates_its_database_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    for _ in range(3):
        before, deadline = database_bytes(tmp_path), time.monotonic() + 120
        server = Server(tmp_path / "server.log")
        while database_bytes(tmp_path) < before + 150_000:
            assert time.monotonic() < deadline
            assert server.process.poll() is None
            time.sleep(0.01)
        server.stop()
        assert server.process.returncode == -signal.SIGKILL
    server = Server(tmp_path / "server.log")
    try:
        server.wait(120)
        assert server.answers
    finally:
        server.stop()
    assert server.process.returncode != -signal.SIGKILL, "it was killed"


def test_a_server_that_cannot_start_reports_the_reason_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    (tmp_path / "prefect.db").write_bytes(b"this is not a database, and longer than a header" * 50)
    server = Server(tmp_path / "server.log")
    try:
        with pytest.raises(ServerError, match=r"file is not a database.*remove .*") as caught:
            server.wait(120)
    finally:
        server.stop()
    assert str(server.log) in str(caught.value)
    assert server.process.poll() is not None


@pytest.mark.slow
def test_a_second_server_of_a_folder_waits_until_the_first_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both at once would create one database: each ended with an error of the other's tables."""
    first = Server(tmp_path / "server.log")
    try:
        second = Server(tmp_path / "server.log")
        try:
            assert first.answers
            second.wait(120)
        finally:
            second.stop()
    finally:
        first.stop()
    text = f"process {os.getpid()} is starting the Prefect server of this folder; waiting\n"
    assert capsys.readouterr().out == text


def test_a_slow_start_names_the_setting_that_waits_longer(tmp_path: Path) -> None:
    server = Server(tmp_path / "server.log")
    try:
        with pytest.raises(ServerError, match=r"within 0\.2 seconds: wait longer") as error:
            server.wait(0.2)
        assert "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=0.4" in str(error.value)
    finally:
        server.stop()
    with pytest.raises(OSError, match="in use"), socket.create_server(("127.0.0.1", 0)) as taken:
        Server(tmp_path / "server.log", taken.getsockname()[1])
    assert not (tmp_path / "server.log").read_bytes()
    Server(tmp_path / "server.log").stop()  # a taken port leaves no lock


def test_a_configured_server_that_is_down_is_one_sentence() -> None:
    dead = temporary_settings({PREFECT_API_URL: "http://user:secret@127.0.0.1:9/api"})
    with dead, pytest.raises(ServerError) as error, one_api():
        pass
    text = str(error.value)
    assert text.startswith("no Prefect server answers at http://user:***@127.0.0.1")
    assert text.endswith("start it, or unset PREFECT_API_URL to use the embedded one")
    assert "secret" not in text
    assert "\n" not in text


WAITING = """
import time
from foldproof.flows.processes.api import one_api
with one_api() as api, api:
    from prefect.settings import PREFECT_API_URL
    print(PREFECT_API_URL.value(), flush=True)
    time.sleep(100)
"""


@pytest.mark.slow
def test_a_command_ends_if_its_server_is_killed(tmp_path: Path) -> None:
    """Prefect's client would wait for the server for good."""
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    environment = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    process = subprocess.Popen(
        [sys.executable, script], cwd=tmp_path, text=True,
        env=environment | {"PREFECT_HOME": str(tmp_path / "prefect")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        own = ["pgrep", "-P", str(process.pid)]
        (server,) = subprocess.run(own, capture_output=True, text=True, check=True).stdout.split()
        os.kill(int(server), signal.SIGKILL)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 2
    assert "the embedded Prefect server ended with status -9" in said
    assert "Run the command again: it resumes" in said
    assert "Traceback" not in said


def ran(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A script that started a Prefect server of its own in ``folder``, and ended well."""
    environment = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True,
        env=environment | {"PREFECT_HOME": str(folder / "prefect")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


EVENT = """
import os, subprocess, threading
from foldproof.flows.processes.api import one_api
with one_api() as api, api:
    from prefect.events import emit_event
    sent = threading.Thread(target=emit_event, args=("done", {"prefect.resource.id": "one"}))
    sent.start()
    sent.join()
    subprocess.run(["pgrep", "-a", "-P", str(os.getpid())])
"""


@pytest.mark.slow
def test_a_thread_without_the_address_starts_no_second_server(tmp_path: Path) -> None:
    """Prefect's own server has no guard against foreign pages, and outlives a killed command."""
    done = ran(EVENT, tmp_path)
    started = [line for line in done.stdout.splitlines() if "pgrep" not in line]
    assert len(started) == 1, started
    assert "server.py" in started[0]


LAST_EVENTS = """
import asyncio, time
from prefect.events import emit_event
from prefect.events.clients import PrefectEventsClient
from foldproof.flows.processes.api import one_api

sent, send = [], PrefectEventsClient._emit

async def slowly(self, event):
    await asyncio.sleep(0.3)
    await send(self, event)
    sent.append(event.event)

PrefectEventsClient._emit = slowly
with one_api() as api, api:
    for number in range(5):
        emit_event(event=f"last {number}", resource={"prefect.resource.id": "a.test"})
print(*sent, sep=",")
"""


@pytest.mark.slow
def test_the_last_events_reach_a_slow_server_before_it_stops(tmp_path: Path) -> None:
    """The server records task runs from events: a run whose last one is lost stays RUNNING."""
    done = ran(LAST_EVENTS, tmp_path)
    assert done.stdout.splitlines()[-1] == ",".join(f"last {number}" for number in range(5))
    assert "failed to process" not in done.stderr
    with closing(sqlite3.connect(tmp_path / "prefect" / "prefect.db")) as database:
        (stored,) = database.execute("select count(*) from events").fetchone()
    assert stored == 0  # they would take most of the database


A_RUN = """
from prefect import flow, task
from foldproof.flows.processes.api import one_api

@task
def work():
    return 1

@flow
def night():
    return work()

with one_api() as api, api:
    night()
"""


@pytest.mark.long
def test_a_serving_server_deletes_flow_runs_older_than_90_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(A_RUN, tmp_path)
    ran(A_RUN, tmp_path)
    folder = tmp_path / "prefect"
    monkeypatch.setenv("PREFECT_HOME", str(folder))
    counts = [f"select count(*) from {name}" for name in ("flow_run", "task_run", "task_run_state")]
    with closing(sqlite3.connect(folder / "prefect.db", timeout=30)) as database:
        before = [database.execute(one).fetchone()[0] for one in counts]
        assert before[:2] == [2, 2]
        old = "update flow_run set end_time = '2020-01-02 00:00:00.000000' where id in "
        database.execute(f"{old} (select id from flow_run limit 1)")
        database.commit()
        server = Server(folder / "server.log", full=True)
        try:
            server.wait(300)
            deadline = time.monotonic() + 120
            while database.execute(counts[0]).fetchone() != (1,):
                assert time.monotonic() < deadline
                time.sleep(0.5)
        finally:
            server.stop()
        assert [database.execute(one).fetchone()[0] for one in counts] == [n / 2 for n in before]
