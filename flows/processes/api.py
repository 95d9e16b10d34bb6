"""One Prefect API for a flow and all its workers: the configured one, or an embedded server."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    PREFECT_SERVER_UI_ENABLED,
    temporary_settings,
)

from foldproof.flows.shell import HOST


class ServerError(RuntimeError):
    """A server did not start; the message names its log."""


class Server:
    """An embedded Prefect server in another process, which ends with this one.

    Its socket is opened here and passed on, so that no other process can take the port between
    choosing it and listening. It has its own session: Ctrl-C in a terminal reaches this process
    alone, which still needs the server to end its flow in order.
    """

    def __init__(self, log: Path, port: int = 0, full: bool = False) -> None:
        """Start it and return at once.

        Args:
            log: File for its output.
            port: Where it listens; 0 takes any free port.
            full: With UI, scheduler and the other services.

        Raises:
            OSError: The port is taken.
        """
        self.log = log
        self.answers = False
        self.full = full
        log.parent.mkdir(parents=True, exist_ok=True)
        with socket.create_server((HOST, port)) as listening, log.open("wb") as out:
            self.port = listening.getsockname()[1]
            script = str(Path(__file__).with_name("server.py"))
            options = ["embedded", str(listening.fileno()), *(["full"] if full else [])]
            self.process = subprocess.Popen(
                [sys.executable, "-P", script, *options],
                env=os.environ | {"PREFECT_SERVER_API_HOST": HOST},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )

    def wait(self, seconds: float) -> None:
        """Return as soon as it answers.

        Raises:
            ServerError: It ended, or has not answered after ``seconds``.
        """
        connection = HTTPConnection(HOST, self.port, timeout=seconds)
        try:
            connection.request("GET", "/api/health")
            self.answers = connection.getresponse().status == 200
        except (OSError, HTTPException) as error:
            raise ServerError(self.failure(error)) from error
        finally:
            connection.close()
        if not self.answers:
            raise ServerError(self.failure("it answers, but reports that it is not healthy"))

    def failure(self, reason: object) -> str:
        """The message for the user."""
        written = self.log.read_text(encoding="utf-8", errors="replace")
        raised = re.findall(r"^\w[\w.]*(?:Error|Exception)\b.*", written, re.MULTILINE)
        return (
            f"the embedded Prefect server did not start ({raised[-1] if raised else reason}). Its "
            f"log is {self.log}. If its database is damaged or of a newer Prefect, remove "
            f"{self.log.parent}: results and tracked runs are elsewhere. Or set PREFECT_API_URL to "
            "your own server"
        )

    def stop(self) -> None:
        """Stop it: in order once it has answered, at once while it is still starting."""
        self.process.terminate() if self.answers else self.process.kill()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        finally:
            self.process.communicate()


@contextmanager
def one_api() -> Iterator[AbstractContextManager[None]]:
    """Start an embedded server unless PREFECT_API_URL is set, and stop it at the end.

    It yields at once the context in which the API exists; entering that context waits for the
    server. Without a common API every worker process would start its own server, at ten seconds
    each.
    """
    if PREFECT_API_URL.value():
        yield nullcontext()
        return
    server = Server(PREFECT_HOME.value() / "server.log")
    try:
        yield answering(server)
    finally:
        server.stop()


@contextmanager
def answering(server: Server) -> Iterator[None]:
    """Wait until ``server`` answers; inside the block it is the Prefect API."""
    server.wait(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value())
    address = f"http://{HOST}:{server.port}/api"
    with temporary_settings({PREFECT_API_URL: address, PREFECT_SERVER_UI_ENABLED: server.full}):
        yield
