"""Start servers and workers as a user would, and request runs from them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.flows import conftest

ROOT = Path(__file__).resolve().parents[2]
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

SMALL: dict[str, Any] = conftest.SMALL | {
    "split": conftest.SMALL["split"] | {"keep": 1},
    "variants": ["none", "full_sample_zscore"],
    "references": ["zero"],
    "network": {"window": 5, "hidden": 8},
    "training": conftest.SMALL["training"] | {"epochs": 2},
    "attribution": {"samples": 0, "origins": 0, "baselines": [], "trust": False},
    "audit": {"cuts": 1, "feature_cuts": 2, "retrain_folds": 0},
}
"""A still smaller comparison: these tests are about servers."""


def free_port() -> int:
    """A port on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    """The variables of a user's shell."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    own = {name: os.environ[name] for name in kept if name in os.environ}
    return own | {"DO_NOT_TRACK": "true"} | more


@contextmanager
def running(command: Sequence[str], folder: Path, log: Path, **more: str) -> Iterator[Any]:
    """A command in its own session; in the end it is interrupted, as by Ctrl-C."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(**more), stdout=out, stderr=out,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def until(holds: Callable[[], Any], seconds: float, log: Path) -> Any:
    """The first true value of ``holds``; fails with the log after ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := holds():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError(log.read_text(errors="replace")[-3000:])


class Api:
    """The Prefect API over HTTP."""

    def __init__(self, port: int, auth: tuple[str, str] | None = None) -> None:
        self.url = f"http://127.0.0.1:{port}/api"
        self.auth = auth

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, timeout=30, auth=self.auth).raise_for_status().json()

    def ask(self, deployment: str, parameters: dict[str, Any]) -> httpx.Response:
        """Request a run of a deployment such as ``compare/compare-small``.

        It repeats a request that a busy SQLite answers with 503, as Prefect's own clients do.
        """
        found = self.get(f"/deployments/name/{deployment}")["id"]
        for _ in range(10):
            answer = httpx.post(
                f"{self.url}/deployments/{found}/create_flow_run",
                json={"parameters": parameters},
                timeout=30,
                auth=self.auth,
            )
            if answer.status_code != 503:
                break
            time.sleep(1)
        return answer

    def run(self, deployment: str, parameters: dict[str, Any]) -> str:
        """Request a run; returns its id."""
        return str(self.ask(deployment, parameters).raise_for_status().json()["id"])

    def ended(self, run: str) -> Any:
        """The run if it has ended."""
        found = self.get(f"/flow_runs/{run}")
        return found if found["state_type"] in ENDED else None


def foldproof(*arguments: str) -> list[str]:
    """The command in this interpreter."""
    return [sys.executable, "-m", "foldproof.flows", *arguments]
