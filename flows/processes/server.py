"""The Prefect server, closed to foreign web pages. Started by api.py and by conf/server/run.

``python -P server.py embedded FD [full]`` listens on the socket FD and ends when its standard input
closes. ``python -P server.py HOST PORT`` runs until it is interrupted. ``full`` adds the UI, the
scheduler and the other services, which the second form always has.

Prefect's API runs shell commands for everyone who may change a deployment, and Prefect itself
answers pages of every origin under every host name. ``OwnPagesOnly`` refuses both.
"""

import gc
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

LOCAL_HOSTS = ("127.0.0.1", "localhost")
MORE_HOSTS = "FOLDPROOF_SERVER_HOSTS"
"""Environment variable: further host names of this server, separated by commas."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class OwnPagesOnly:
    """ASGI application that refuses foreign hosts and foreign origins with status 403.

    The Host header must name this server; otherwise a page whose own name was rebound to 127.0.0.1
    could read and write (DNS rebinding). An Origin header must name this server too. Browsers send
    it with every WebSocket and every request that can change something; programs do not. The check
    comes before any route, so it also covers requests that a browser sends without asking first
    (a form, ``fetch`` with ``no-cors``).
    """

    def __init__(self, app: App, hosts: Iterable[str]) -> None:
        self.app = app
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] in ("http", "websocket"):
            reason = self.refusal(scope["headers"])
            if reason:
                await refuse(scope["type"], reason, receive, send)
                return
        await self.app(scope, receive, send)

    def refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Why a request with these headers is refused; None if it is accepted."""
        found = [(name.lower(), value.decode("latin-1")) for name, value in headers]
        hosts = [value for name, value in found if name == b"host"]
        origins = [value for name, value in found if name == b"origin"]
        if len(hosts) != 1 or self.address(f"//{hosts[0]}") is None:
            return f"foreign Host; add further names of this server to {MORE_HOSTS}"
        port = self.address(f"//{hosts[0]}")
        if any(self.address(origin, scheme=True) != port for origin in origins):
            return "foreign Origin: only this server's own pages may use its API"
        return None

    def address(self, url: str, scheme: bool = False) -> tuple[int | None] | None:
        """The port of a URL that names one of our hosts; None for any other."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return None
        if scheme and parts.scheme not in ("http", "https"):
            return None
        known = parts.hostname in self.hosts and parts.username is None
        return (port,) if known else None


async def refuse(kind: str, reason: str, receive: Receive, send: Send) -> None:
    """Answer 403 with the reason; a WebSocket is closed before it is accepted."""
    if kind == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return
    start = {"type": "http.response.start", "status": 403}
    await send(start | {"headers": [(b"content-type", b"text/plain; charset=utf-8")]})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})


def own_hosts() -> tuple[str, ...]:
    """Host names that this server accepts."""
    more = os.environ.get(MORE_HOSTS, "").split(",")
    return (*LOCAL_HOSTS, *filter(None, (name.strip() for name in more)))


def own_origins(port: int) -> str:
    """Origins of the server's own pages, in the form of Prefect's setting."""
    return ",".join(f"http://{host}:{port}" for host in own_hosts())


RETENTION = {"PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs"}
"""Prefect deletes events after 7 days and ended flow runs after 90, each with its task runs."""
NO_HISTORY = {"PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false"}
"""Task runs are recorded from events; keeping the events too would take most of the database."""


def serve(listening: socket.socket, full: bool, log_level: str) -> None:
    """Serve on a listening socket; ends with exit status 3 if the start failed."""
    port = listening.getsockname()[1]
    os.environ["PREFECT_SERVER_API_PORT"] = str(port)
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = own_origins(port)
    for name, value in (RETENTION if full else NO_HISTORY).items():
        os.environ.setdefault(name, value)
    # Imported here: end_with_parent must run before these seconds of imports.
    gc.disable()  # saves a tenth of the import time; there is nothing to collect yet
    import uvicorn
    from prefect.server.api.server import create_app

    app = OwnPagesOnly(create_app(ephemeral=not full, final=True), own_hosts())
    gc.freeze()
    gc.enable()
    server = uvicorn.Server(uvicorn.Config(app, log_level=log_level, lifespan="on"))
    server.run(sockets=[listening])
    sys.exit(0 if server.started else 3)


def end_with_parent() -> None:
    """Exit when standard input closes, which means that the parent is gone.

    It exits at once, even while the database is set up: each step of that is a transaction.
    """
    while os.read(0, 1):
        pass
    os._exit(1)


def embedded(descriptor: int, full: bool) -> None:
    """Serve on a socket that the parent process opened."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    serve(socket.socket(fileno=descriptor), full, log_level="error")


def standalone(host: str, port: int) -> None:
    """Serve until an interruption."""
    os.environ["PREFECT_SERVER_API_HOST"] = host
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        sys.exit(f"error: cannot listen on {host}:{port} ({error}); is a server running there?")
    print(f"Prefect server: http://{host}:{port}", flush=True)
    serve(listening, full=True, log_level="warning")


if __name__ == "__main__":
    if sys.argv[1] == "embedded":
        embedded(int(sys.argv[2]), sys.argv[3:] == ["full"])
    else:
        standalone(sys.argv[1], int(sys.argv[2]))
