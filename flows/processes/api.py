"""One Prefect API for a flow and all its workers: the configured one, or an embedded server."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.events.clients import NullEventsClient, PrefectEventsClient
from prefect.events.worker import EventsWorker
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_HOME,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    PREFECT_SERVER_UI_ENABLED,
    temporary_settings,
)

from foldproof.flows.commands.shell import HOST
from foldproof.tasks.lock import locked
from foldproof.tasks.machine_errors import disk_full

DRAIN = 5.0
"""Seconds for the last events and log lines to reach a server that is about to stop."""


class ServerError(RuntimeError):
    """A server did not start; the message names its log."""


class Server:
    """An embedded Prefect server in another process, which ends with this one.

    Its socket is opened here and passed on, so that no other process can take the port between
    choosing it and listening. It has its own session: Ctrl-C in a terminal reaches this process
    alone, which still needs the server to end its flow in order.
    """

    def __init__(self, log: Path, port: int = 0, full: bool = False) -> None:
        """Start it and return at once, or as soon as no other server of the folder is starting.

        Two servers that create or migrate one database at once both fail. So the lock beside the
        log is held until this server answers or ends.

        Args:
            log: File for its output.
            port: Where it listens; 0 takes any free port.
            full: With UI, scheduler and the other services.

        Raises:
            OSError: The port is taken.
        """
        self.log = log
        self.full = full
        self.outcome: int | Exception | None = None
        self.stopping = False
        log.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as starting:
            starting.enter_context(locked(log.parent / "starting", wait_for_start))
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
            self.starting = starting.pop_all()
        self.first_answer = threading.Thread(target=self.ask, daemon=True)
        self.first_answer.start()

    @property
    def answers(self) -> bool:
        """Whether it has answered that it is healthy."""
        return self.outcome == 200

    def ask(self) -> None:
        """Store the status of its first answer, or the error; then another server may start."""
        connection = HTTPConnection(HOST, self.port)
        try:
            connection.request("GET", "/api/health")
            self.outcome = connection.getresponse().status
        except (OSError, HTTPException) as error:
            self.outcome = error
        finally:
            connection.close()
            self.starting.close()

    def wait(self, seconds: float) -> None:
        """Return as soon as it answers.

        Raises:
            ServerError: It ended, or has not answered after ``seconds``.
        """
        self.first_answer.join(seconds)
        if self.answers:
            return
        if self.outcome is None:
            raise ServerError(
                f"the embedded Prefect server has not answered within {seconds:g} seconds: wait "
                f"longer with PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS={2 * seconds:g}, or "
                f"set PREFECT_API_URL to your own server. Its log is {self.log}"
            )
        if isinstance(self.outcome, int):
            raise ServerError(self.failure("it answers, but reports that it is not healthy"))
        raise ServerError(self.failure(self.outcome)) from self.outcome

    def failure(self, reason: object) -> str:
        """The message for the user."""
        written = self.log.read_text(encoding="utf-8", errors="replace")
        if disk_full(RuntimeError(written)):
            return f"the disk of {self.log.parent} is full: make room. The log is {self.log}"
        raised = re.findall(r"^\w[\w.]*(?:Error|Exception)\b.*", written, re.MULTILINE)
        return (
            f"the embedded Prefect server did not start ({raised[-1] if raised else reason}). Its "
            f"log is {self.log}. If its database is damaged or of a newer Prefect, remove "
            f"{self.log.parent}: results and tracked runs are elsewhere. Or set PREFECT_API_URL to "
            "your own server"
        )

    def watch(self) -> None:
        """End this process as soon as the server ends by itself, with exit status 2.

        Prefect's client would wait for the server for good. Nothing is lost: every result is
        stored as soon as it is there, and the operating system opens the locks.
        """

        def end() -> None:
            status = self.process.wait()
            if self.stopping:
                return
            print(
                f"the embedded Prefect server ended with status {status}; its log is {self.log}. "
                "Run the command again: it resumes",
                file=sys.stderr,
                flush=True,
            )
            os._exit(2)

        threading.Thread(target=end, daemon=True).start()

    def stop(self) -> None:
        """Stop it: in order once it has answered, at once while it is still starting."""
        self.stopping = True
        self.process.terminate() if self.answers else self.process.kill()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        finally:
            self.process.communicate()


def wait_for_start(process: str) -> None:
    """Say why this command waits."""
    print(f"process {process} is starting the Prefect server of this folder; waiting", flush=True)


def require_api(address: str) -> None:
    """Raise ServerError unless the configured Prefect server answers."""
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True) as client,
    ):
        error = client.api_healthcheck()
    if error is not None:
        from foldproof.tasks.data.address import shown  # late: a command starts the server first

        reason = str(error) or type(error).__name__
        raise ServerError(
            f"no Prefect server answers at {shown(address)} ({reason}): start it, or unset "
            "PREFECT_API_URL to use the embedded one"
        )


@contextmanager
def one_api(server: bool = True) -> Iterator[AbstractContextManager[None] | None]:
    """Start an embedded server unless PREFECT_API_URL is set, and stop it at the end.

    It yields None if there is no configured API and no ``server`` is wanted.

    It yields at once the context in which the API exists; entering that context waits for the
    server. Without a common API every worker process would start its own server, at ten seconds
    each.

    Raises:
        ServerError: No server answers at PREFECT_API_URL.
    """
    if address := PREFECT_API_URL.value():
        require_api(address)
        yield nullcontext()
        return
    if not server:
        yield None
        return
    embedded = Server(PREFECT_HOME.value() / "server.log")
    try:
        yield watched(embedded)
    finally:
        embedded.stop()


@contextmanager
def watched(server: Server) -> Iterator[None]:
    """As :func:`answering`; the process ends if the server does."""
    with answering(server):
        server.watch()
        yield


@contextmanager
def answering(server: Server) -> Iterator[None]:
    """Wait until ``server`` answers; inside the block it is the Prefect API.

    Threads that Prefect starts may not inherit the address. Its worker for events would start a
    second server there, without a guard, so the worker gets the address by itself.
    """
    server.wait(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value())
    address = f"http://{HOST}:{server.port}/api"
    EventsWorker.set_client_override(PrefectEventsClient, api_url=address)
    try:
        with temporary_settings({PREFECT_API_URL: address, PREFECT_SERVER_UI_ENABLED: server.full}):
            yield
    finally:
        # The server records task runs from events: without the last ones they stay RUNNING.
        EventsWorker.drain_all(timeout=DRAIN)
        EventsWorker.set_client_override(NullEventsClient)  # what still runs has no server
