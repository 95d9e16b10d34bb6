"""The MLflow UI on the embedded store, as a process that ends with this one."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from foldproof.flows.processes.api import HOST, ServerError
from foldproof.tasks.data.address import without_user
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import open_store

UI_SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Environment of the UI: without it MLflow starts eight more processes for jobs."""
START = 120.0
"""Seconds in which it must start on a busy machine."""

Process = subprocess.Popen[bytes]


@contextmanager
def mlflow_ui(tracking: TrackingSpec, port: int, log: Path) -> Iterator[tuple[str, Process | None]]:
    """The MLflow UI on a tracking store; yields its address and process.

    If the store is a tracking server, that server is the UI, and there is no process.

    Raises:
        ServerError: It does not start.
        TrackingError: The store cannot be used.
    """
    store = open_store(tracking)  # create the database now: the UI and a run would race for it
    if store.uri.startswith("http"):
        yield without_user(store.uri)[0], None
        return
    process = start_ui(store.uri, port, log)
    try:
        wait_for(process, port, log)
        yield f"http://{HOST}:{port}", process
    finally:
        process.communicate()  # closes its standard input


def start_ui(uri: str, port: int, log: Path) -> Process:
    """Serve the UI of the store at ``uri`` in one process.

    It ends when its standard input closes, as it does at our end. The address goes through the
    environment, because every user of the machine can read a command line.
    """
    script = str(Path(__file__).with_name("child.py"))
    options = ["--host", HOST, "--port", str(port), "--workers", "1"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-P", script, sys.executable, "-m", "mlflow", "server", *options],
            env=os.environ | UI_SETTINGS | {"MLFLOW_BACKEND_STORE_URI": uri},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        )


def wait_for(process: Process, port: int, log: Path) -> None:
    """Return as soon as a server answers on ``port``.

    Raises:
        ServerError: The process ended, or did not answer in time.
    """
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        connection = HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.2)
        finally:
            connection.close()
    raise ServerError(f"the MLflow UI did not start on port {port}; its log is {log}")
