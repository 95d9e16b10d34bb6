"""Servers and workers that a test starts as a user would, and how it asks them for runs."""

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
"""The same smaller still: servers are what is tested."""


def free_port() -> int:
    """One that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    """What a user's shell has."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    own = {name: os.environ[name] for name in kept if name in os.environ}
    return own | {"DO_NOT_TRACK": "true"} | more


@contextmanager
def running(command: Sequence[str], folder: Path, log: Path, **more: str) -> Iterator[Any]:
    """A command in a session of its own; interrupted in the end, as by Ctrl-C, and waited for."""
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
    """What ``holds`` gives once that is true; fails with the log."""
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
    """The Prefect API, asked over HTTP."""

    def __init__(self, port: int, auth: tuple[str, str] | None = None) -> None:
        self.url = f"http://127.0.0.1:{port}/api"
        self.auth = auth

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, timeout=30, auth=self.auth).raise_for_status().json()

    def ask(self, deployment: str, parameters: dict[str, Any]) -> httpx.Response:
        """A run of a deployment such as ``compare/small``.

        A busy SQLite answers 503, on which Prefect's own clients ask again, too.
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
        """The id of a run that was asked for."""
        return str(self.ask(deployment, parameters).raise_for_status().json()["id"])

    def ended(self, run: str) -> Any:
        """The run if it has ended."""
        found = self.get(f"/flow_runs/{run}")
        return found if found["state_type"] in ENDED else None


def foldproof(*arguments: str) -> list[str]:
    """The command in this interpreter."""
    return [sys.executable, "-m", "foldproof.flows", *arguments]
