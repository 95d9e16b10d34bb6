"""What every command needs around its work: settings, the API, errors and interruptions."""

import gc
import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NoReturn

import typer

HOME = Path(".foldproof")
"""Everything a comparison leaves on disk: panels, finished units, the embedded databases."""

HOST = "127.0.0.1"
"""Where the MLflow UI is served: this machine alone."""

QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "OMP_NUM_THREADS": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}
"""Set where the user has not: no telemetry, a quiet log, one thread a process."""


def nightly(
    config: str,
    overrides: Sequence[str] | None,
    runner: str,
    *,
    verbose: bool = False,
    status: Callable[[Any], int] = lambda _: 0,
    left: str = "nothing half-written is left, run the same command again",
) -> NoReturn:
    """Run a flow on an experiment as a command of its own, and end with its exit status.

    Args:
        config: A YAML file or a preset.
        overrides: key=value.
        runner: ``package.module:function`` of (experiment, context of the API), imported late.
        verbose: Show Prefect's log.
        status: From what the runner returns to the exit status.
        left: What an interruption leaves behind.

    Raises:
        typer.Exit: Always. Status 2 where the flow could not run, for a defect of ours too: 1 is
            an answer of some commands.
    """
    prepare(verbose)
    with defects_told(), stoppable(left):
        raise typer.Exit(status(run_on(lambda: experiment_of(config, overrides), runner)))


def experiment_of(config: str, overrides: Sequence[str] | None) -> Any:
    """The experiment of a file or preset with its overrides; raises ConfigError."""
    from foldproof.conf.load import load

    return load(config, overrides or [])


def run_on(describe: Callable[[], Any], runner: str, *options: Any) -> Any:
    """Read what is asked for, then run ``package.module:function`` on it beside an API.

    Args:
        describe: Reads and checks it; raises ConfigError.
        runner: Takes what was read, ``options``, and the context of the API.
        options: See there.

    The API starts while the rest is imported and the input checked.
    """
    with few_collections():
        from foldproof.conf.load import ConfigError
    try:
        with few_collections():
            described = describe()
    except ConfigError as error:
        fail(error)
    from foldproof.flows.processes.api import one_api

    with one_api() as api:
        with few_collections():
            from foldproof.flows.compare import USER_ERRORS

            module, _, name = runner.partition(":")
            run = getattr(import_module(module), name)
        try:
            return run(described, *options, api)
        except USER_ERRORS as error:
            fail(error)


@contextmanager
def defects_told() -> Iterator[None]:
    """An unexpected error inside: its traceback and exit status 2, for 1 would be an answer."""
    try:
        yield
    except typer.Exit:
        raise
    except Exception:
        traceback.print_exc()
        raise typer.Exit(2) from None


def prepare(verbose: bool) -> None:
    """Settings that must stand before prefect, mlflow and torch are imported."""
    if verbose:
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO")
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        HOME.mkdir(exist_ok=True)
        with TemporaryFile(dir=HOME):  # or Prefect and MLflow say so, each in its own pages
            pass
    except OSError as error:
        fail(
            f"results go to {HOME.resolve()}, which cannot be written ({error}): use another folder"
        )
    if "PREFECT_API_URL" not in os.environ:
        os.environ.setdefault("PREFECT_HOME", str((HOME / "prefect").resolve()))
    os.environ.setdefault("PREFECT_RESULTS_LOCAL_STORAGE_PATH", str((HOME / "results").resolve()))
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def stoppable(left: str) -> Iterator[None]:
    """Turn an interruption inside into one line and exit status 130."""
    try:
        yield
    except BaseException as error:
        if not interrupted(error):
            raise
        typer.echo(f"interrupted; {left}")
        raise typer.Exit(130) from None


def interrupted(error: BaseException | None) -> bool:
    """Whether an interruption is behind ``error``; compiled code may put an error in its place."""
    if error is None:
        return False
    own = isinstance(error, KeyboardInterrupt) or "KeyboardInterrupt" in str(error)
    return own or interrupted(error.__cause__ or error.__context__)


@contextmanager
def few_collections() -> Iterator[None]:
    """Import inside: a million objects are made and next to none is garbage.

    Looking for it takes a tenth of the time, and again as long in every later collection unless
    those objects are left out.
    """
    usual = gc.get_threshold()
    gc.set_threshold(50_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.freeze()


def port_in_use(port: int) -> bool:
    """Whether something listens on ``port``: MLflow would end in a traceback."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def fail(error: object) -> NoReturn:
    """Say what is wrong and stop with exit status 2."""
    typer.echo(f"error: {error}", err=True)
    raise typer.Exit(2)
