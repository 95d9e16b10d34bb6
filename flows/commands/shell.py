"""Parts that all commands share: settings, the Prefect API, error messages, interruptions."""

import gc
import os
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from importlib import import_module
from io import StringIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NoReturn

import typer

from foldproof.flows.commands.clean import in_use
from foldproof.flows.paths import HOME, RESULTS
from foldproof.tasks.machine_errors import disk_full, server_lost, wrong_setting
from foldproof.tasks.program import runnable

HOST = "127.0.0.1"
"""Address of the servers that commands start: only this machine can reach them."""

RESULTS_PATH = "PREFECT_RESULTS_LOCAL_STORAGE_PATH"
"""Prefect's setting for the folder of results."""

RUN_SETTINGS = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "OMP_NUM_THREADS": "1",
}
"""Environment of every run: no telemetry, one thread per process."""

SETTINGS = RUN_SETTINGS | {
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # it logs what it raises, with a traceback
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",  # Prefect's own server accepts foreign pages
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}
"""Environment of every command, with a quiet log; the user's own values win."""


LEAST_FREE = 1_000_000
"""Bytes free on a disk that is not full: Prefect's server only reports an internal error."""
INTERRUPTED = 130
"""Exit status of a command that Ctrl-C ended."""
IN_PART = 3
"""Exit status of a command that finished in part: units are missing, or results wait to be sent."""


@contextmanager
def command(verbose: bool, left: str, serves: bool = False) -> Iterator[None]:
    """The frame of a command.

    An interruption inside prints ``left``, the state in which it leaves everything, and ends with
    exit status 130. An unexpected error prints its traceback and ends with exit status 2, because
    some commands return 1 as a result. A command that ``serves`` lasts for weeks and reads nothing
    that ``clean`` removes: its runs keep ``clean`` away, each while it runs.
    """
    prepare(verbose)
    try:
        with nullcontext() if serves else in_use():
            yield
    except BaseException as error:
        if interrupted(error):
            typer.echo(f"interrupted; {left}")
            raise typer.Exit(INTERRUPTED) from None
        if isinstance(error, typer.Exit) or not isinstance(error, Exception):
            raise
        if text := machine_fault(error):
            fail(f"{text}; {left}")
        traceback.print_exc()
        raise typer.Exit(2) from None


def machine_fault(error: BaseException) -> str:
    """A full disk or a lost Prefect server in one clause; empty for any other error."""
    if disk_full(error) or shutil.disk_usage(HOME).free < LEAST_FREE:
        return f"the disk of {HOME.resolve()} is full: make room"
    lost = server_lost(error)
    return f"the Prefect server stopped answering ({lost})" if lost else ""


def prepare(verbose: bool) -> None:
    """Set what Prefect, MLflow and torch read when they are imported."""
    own = any(name.startswith("PREFECT_") for name in os.environ)
    if verbose:
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    require_platform()
    try:
        HOME.mkdir(mode=0o700, exist_ok=True)  # prices, forecasts and both databases
        with TemporaryFile(dir=HOME):  # else Prefect and MLflow each fail with pages of traceback
            pass
    except OSError as error:
        fail(
            f"results go to {HOME.resolve()}, which cannot be written ({error}): use another folder"
        )
    if "PREFECT_API_URL" not in os.environ:
        os.environ.setdefault("PREFECT_HOME", str((HOME / "prefect").resolve()))
    os.environ.setdefault(RESULTS_PATH, str(RESULTS.resolve()))
    if own or Path("prefect.toml").exists():
        require_prefect_settings()
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def require_prefect_settings() -> None:
    """End with exit status 2 where a setting of Prefect has a wrong value.

    Prefect prints pages about it as soon as it is imported.
    """
    try:
        with redirect_stderr(StringIO()):
            from prefect.settings import get_current_settings

            get_current_settings()
    except Exception as error:  # Prefect wraps it; others are raised again
        if text := wrong_setting(error):
            fail(f"{text}; correct it, or unset it for its default")
        raise


def require_platform() -> None:
    """End with exit status 2 where Python or the folder cannot hold what commands write."""
    if os.name == "nt":
        fail("Foldproof runs on Linux and macOS; on Windows, run it in WSL 2")
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        fail(
            f"this shell makes Python write file names and text as {encoding}; export PYTHONUTF8=1"
        )
    here = os.getcwd()
    bad = sorted(set(here) & set("?%"))
    if bad or not here.isprintable():
        what = " and ".join(bad) or "a control character"
        fail(
            f"the name of this folder contains {what}, which the addresses of databases cannot "
            f"hold: use another folder than {here[:200]!r}"
        )


def interrupted(error: BaseException | None) -> bool:
    """Whether an interruption caused ``error``; compiled code may raise another error instead."""
    if error is None:
        return False
    itself = isinstance(error, KeyboardInterrupt) or "KeyboardInterrupt" in str(error)
    return itself or interrupted(error.__cause__ or error.__context__)


def run_flow(
    reader: str, arguments: tuple[Any, ...], runner: str, *options: Any, server: bool = True
) -> Any:
    """Read the request, then run a flow on it with a Prefect API.

    An embedded API starts while the rest is imported and the input is checked. Both functions are
    named as ``room.module:function`` and imported late.

    Args:
        reader: Reads and checks the request; raises ConfigError.
        arguments: Arguments of the reader.
        runner: Takes the request, ``options`` and the context of the API.
        options: Further arguments of the runner.
        server: Whether the flow needs an embedded server where no API is configured; without one
            the runner gets None in place of the context.
    """
    with fewer_collections():
        from foldproof.conf.load import ConfigError
    try:
        with fewer_collections():
            request = late(reader)(*arguments)
    except ConfigError as error:
        fail(error)
    from foldproof.flows.processes.api import ServerError, one_api

    try:
        with one_api(server) as api:
            with fewer_collections():
                from foldproof.flows.checks import USER_ERRORS

                run = late(runner)
                from foldproof.flows.flow_runs.in_part import InPartError
            try:
                return run(request, *options, api)
            except InPartError as error:
                typer.echo(f"finished in part: {error}", err=True)
                raise typer.Exit(IN_PART) from None
            except USER_ERRORS as error:
                fail(error)
    except ServerError as error:
        fail(error)


def late(name: str) -> Any:
    """The function ``room.module:function`` of this package, imported only now."""
    module, _, function = name.partition(":")
    return getattr(import_module(f"foldproof.{module}"), function)


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Collect garbage less often while modules are imported inside.

    Imports create about a million lasting objects. Scanning them takes a tenth of the time, and
    again as long in every later collection unless they are frozen.
    """
    usual = gc.get_threshold()
    gc.set_threshold(50_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.freeze()


def port_in_use(port: int) -> bool:
    """Whether a server listens on ``port`` of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def fail(error: object) -> NoReturn:
    """Print the error, its commands as they run here, and end with exit status 2."""
    typer.echo(f"error: {runnable(str(error))}", err=True)
    raise typer.Exit(2)
