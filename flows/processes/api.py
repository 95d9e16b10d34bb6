"""One Prefect API for a flow and all its workers: the configured one, or a server of their own."""

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
    temporary_settings,
)

HOST = "127.0.0.1"


class ServerError(RuntimeError):
    """The embedded Prefect server did not come up; says where its log is."""


class Server:
    """An embedded Prefect server, in a process of its own that ends with this one.

    Its socket is opened here and handed over, so that no other process can take the port between
    choosing it and listening. It has a session of its own: Ctrl-C in a terminal reaches this
    process alone, which still needs the server to end its flow in order.
    """

    def __init__(self, log: Path, port: int = 0, whole: bool = False) -> None:
        """Start it and return at once.

        Args:
            log: Takes what it writes.
            port: Where it listens; 0 takes any that is free.
            whole: With UI, scheduler and the other services.

        Raises:
            OSError: The port is taken.
        """
        self.log = log
        self.answers = False
        log.parent.mkdir(parents=True, exist_ok=True)
        with socket.create_server((HOST, port)) as listening, log.open("wb") as out:
            self.port = listening.getsockname()[1]
            script = str(Path(__file__).with_name("server.py"))
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    script,
                    "embedded",
                    str(listening.fileno()),
                    *(["whole"] if whole else []),
                ],
                env=os.environ | {"PREFECT_SERVER_API_HOST": HOST},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )

    def wait(self, seconds: float) -> None:
        """Return when it answers.

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
            raise ServerError(self.failure("it answers, but is not well"))

    def failure(self, reason: object) -> str:
        """What to tell the user."""
        written = self.log.read_text(encoding="utf-8", errors="replace")
        raised = re.findall(r"^\w[\w.]*(?:Error|Exception)\b.*", written, re.MULTILINE)
        return (
            f"the embedded Prefect server did not start ({raised[-1] if raised else reason}). Its "
            f"log is {self.log}. If its database is damaged or of a newer Prefect, remove "
            f"{self.log.parent}: results and tracked runs are elsewhere. Or set PREFECT_API_URL to "
            "a server of your own"
        )

    def stop(self) -> None:
        """End it: in order once it has answered, at once while it is still starting."""
        self.process.terminate() if self.answers else self.process.kill()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        finally:
            self.process.communicate()


@contextmanager
def one_api() -> Iterator[AbstractContextManager[None]]:
    """Start an embedded server unless an address is configured, and stop it in the end.

    Yields, without waiting for it, the context in which the API is there: entering that waits.
    Without an address every worker process would start a server of its own, for ten seconds of
    work each.
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
    """Wait until ``server`` answers; it is the Prefect API inside the block."""
    server.wait(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value())
    with temporary_settings({PREFECT_API_URL: f"http://{HOST}:{server.port}/api"}):
        yield
