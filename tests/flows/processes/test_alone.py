"""The same comparison runs once at a time, on one machine and on several."""

import threading
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from foldproof.flows.processes.alone import alone, slot
from foldproof.flows.processes.api import Server, answering
from foldproof.tasks.track.spec import TrackingSpec


def second(start: threading.Event, said: list[str], work) -> threading.Thread:
    """A thread that does ``work`` once ``start`` is set."""

    def run() -> None:
        start.wait()
        work(said)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_the_second_waits_and_says_for_whom(tmp_path: Path) -> None:
    spec, order = TrackingSpec(uri=f"sqlite:///{tmp_path}/mlflow.db"), []
    start, said = threading.Event(), list[str]()

    def work(said: list[str]) -> None:
        with alone(spec, "comparison", "abc", said.append):
            order.append("second")

    thread = second(start, said, work)
    with alone(spec, "comparison", "abc", said.append):
        start.set()
        while not said:
            thread.join(0.05)
        with alone(spec, "comparison", "other", said.append):
            order.append("first")
    thread.join()
    assert order == ["first", "second"]
    (line,) = said
    assert line.startswith("process ")
    assert line.endswith(" is running this comparison; waiting")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Prefect's sockets
def test_a_slot_of_the_prefect_server_is_held_once(tmp_path: Path, monkeypatch) -> None:
    """Two working directories with a tracking server stand for two machines."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    server = Server(tmp_path / "prefect" / "server.log", full=True)
    try:
        server.wait(300)
        with answering(server):
            url, order = str(PREFECT_API_URL.value()), []
            start, said = threading.Event(), list[str]()

            def work(said: list[str]) -> None:
                with temporary_settings({PREFECT_API_URL: url}), slot("name", said.append):
                    order.append("second")

            thread = second(start, said, work)
            with slot("name", said.append):
                start.set()
                while not said:
                    thread.join(0.05)
                order.append("first")
            thread.join(60)
            assert order == ["first", "second"]
            assert said == ["of another machine"]
    finally:
        server.stop()
