"""The MLflow server behind a password: ``python -P password_server.py <options of mlflow server>``.

``FOLDPROOF_MLFLOW_PASS`` names the file with ``user:password``. MLflow's clients take the two from
MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; a browser asks for them once. This file needs
MLflow only, so that it also runs in a container.

MLflow has a password of its own (``--app-name basic-auth``), with users and permissions in a second
database and further packages. One password for everybody needs neither.
"""

import base64
import hmac
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

PASSWORD = "FOLDPROOF_MLFLOW_PASS"
"""Environment variable: the file that holds ``user:password``."""
INNER = "mlflow.server.fastapi_app:app"
"""The application that ``mlflow server`` serves."""
GUARDED = f"{Path(__file__).stem}:app"
"""The same behind the password; each of the server's processes imports it by this name."""
OPEN = ("/health",)
"""Paths that need no password: whether the server is alive."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Password:
    """ASGI application that asks for a password (HTTP Basic) before any route.

    Args:
        app: The application behind it.
        secret: ``user:password``.
    """

    def __init__(self, app: App, secret: str) -> None:
        self.app = app
        self.known = b"Basic " + base64.b64encode(secret.encode())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "lifespan" or self.admits(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "password"})
        else:
            headers = [
                (b"www-authenticate", b'Basic realm="MLflow of Foldproof", charset="UTF-8"'),
                (b"content-type", b"text/plain; charset=utf-8"),
            ]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            body = b"set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD\n"
            await send({"type": "http.response.body", "body": body})

    def admits(self, scope: Message) -> bool:
        """Whether a request carries the password, or needs none."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in OPEN:
            return True
        given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self.known)


def secret_of(file: Path) -> str:
    """``user:password`` in a file.

    Raises:
        ValueError: It holds something else.
    """
    secret = file.read_text(encoding="utf-8").strip()
    user, colon, password = secret.partition(":")
    if not (user and colon and password) or "\n" in secret:
        raise ValueError(f"{file} must hold user:password in one line")
    return secret


def guarded() -> Password:
    """MLflow's application behind the password; called in each process of the server."""
    from mlflow.server.fastapi_app import app as inner

    return Password(inner, secret_of(Path(os.environ[PASSWORD])))


def serve(options: list[str]) -> None:
    """Run ``mlflow server`` with the guarded application in place of its own.

    Raises:
        RuntimeError: This version of MLflow serves another application; nothing is served.
    """
    import mlflow.server
    from mlflow.cli import cli

    build = mlflow.server._build_uvicorn_command

    def command(*given: Any, **named: Any) -> list[str]:
        found = build(*given, **named)
        if found.count(INNER) != 1:
            raise RuntimeError(f"this version of MLflow serves no {INNER}: {found}")
        found[found.index(INNER)] = GUARDED
        return [*found, "--app-dir", str(Path(__file__).resolve().parent)]

    mlflow.server._build_uvicorn_command = command
    cli(["server", *options])


def main() -> None:
    """Serve, or end with a sentence if there is no password."""
    file = os.environ.get(PASSWORD, "")
    try:
        secret_of(Path(file))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {PASSWORD} must name a file with user:password ({error})")
    serve(sys.argv[1:])


if __name__ == "__main__":
    main()
elif __name__ == GUARDED.partition(":")[0]:  # imported by the server's processes
    app = guarded()
