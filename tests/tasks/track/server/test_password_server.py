"""The password of the MLflow server."""

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from foldproof.tasks.track.server import password_server
from foldproof.tasks.track.server.password_server import Password, secret_of

SECRET = "me:s3cret"
BASIC = b"Basic " + base64.b64encode(SECRET.encode())


def answer(scope: dict[str, Any]) -> list[dict[str, Any]]:
    """What is sent for a request; the application behind the password answers 200."""
    sent: list[dict[str, Any]] = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(Password(app, SECRET)(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    ("headers", "admitted"),
    [
        ([(b"authorization", BASIC)], True),
        ([(b"Authorization", BASIC)], True),
        ([], False),
        ([(b"authorization", BASIC[:-1])], False),
        ([(b"authorization", BASIC + b"=")], False),
        ([(b"authorization", b"Bearer " + BASIC[6:])], False),
        ([(b"authorization", BASIC), (b"authorization", b"Basic other")], False),
        ([(b"cookie", BASIC)], False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_only_the_password_opens_it(kind: str, headers: list[Any], admitted: bool) -> None:
    scope = {"type": kind, "method": "GET", "path": "/api/2.0/mlflow/runs", "headers": headers}
    (first, *_) = answer(scope)
    refused = {"http": ("http.response.start", 401), "websocket": ("websocket.close", None)}[kind]
    wanted = ("http.response.start", 200) if admitted else refused
    assert (first["type"], first.get("status")) == wanted


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/health", 200), ("POST", "/health", 401), ("GET", "/health/../api", 401)],
)
def test_only_whether_it_is_alive_needs_no_password(method: str, path: str, status: int) -> None:
    scope = {"type": "http", "method": method, "path": path, "headers": []}
    assert answer(scope)[0]["status"] == status


@pytest.mark.parametrize("content", ["", "password", ":password", "user:", "a:b\nc:d"])
def test_a_file_without_user_and_password_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.pass"
    file.write_text(content)
    with pytest.raises(ValueError, match="must hold user:password in one line"):
        secret_of(file)
    file.write_text("me:pass:word\n")
    assert secret_of(file) == "me:pass:word"


def test_without_a_password_nothing_is_served(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    script = str(password_server.__file__)
    done = subprocess.run(
        [sys.executable, "-P", script, "--port", "1"],
        env=environment, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: FOLDPROOF_MLFLOW_PASS must name a file")


def test_an_mlflow_that_serves_something_else_is_not_served(monkeypatch) -> None:
    import mlflow.cli
    import mlflow.server

    monkeypatch.setattr(mlflow.server, "_build_uvicorn_command", lambda: ["uvicorn", "other:app"])
    monkeypatch.setattr(mlflow.cli, "cli", lambda _: mlflow.server._build_uvicorn_command())
    with pytest.raises(RuntimeError, match=r"serves no mlflow\.server\.fastapi_app:app"):
        password_server.serve([])
