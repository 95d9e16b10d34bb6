"""The command line: ``foldproof compare conf/sp500.yaml training.epochs=5``."""

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any, NoReturn

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

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.callback()
def foldproof() -> None:
    """Which normalization, does anything see the future, which features carry the forecast."""


@app.command()
def compare(
    config: Annotated[str, typer.Argument(help="A YAML file, or a preset: sp500, quick, noise.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key=value, such as training.epochs=5")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Prefect's log.")] = False,
) -> None:
    """Compare normalization variants on one plan of walk-forward folds."""
    prepare(verbose)
    with stoppable("finished units are kept, the same command goes on from here"):
        with few_collections():
            from conf.load import ConfigError, load
        try:
            experiment = load(config, overrides or [])
        except ConfigError as error:
            fail(error)
        from flows.api import one_api

        with one_api() as api:  # it starts while the rest is imported and the input checked
            with few_collections():
                from flows.compare import USER_ERRORS, run
            try:
                run(experiment, api)
            except USER_ERRORS as error:
                fail(error)


@app.command()
def audit(
    subject: Annotated[
        str,
        typer.Argument(help="A YAML file, a preset, a study, or module:function of your own."),
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="key=value; after module:function the Parquet or CSV file first."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="For the price of one training.")] = False,
    benchmark: Annotated[
        bool, typer.Option("--benchmark", help="Measure the audit itself on planted leaks.")
    ] = False,
    power: Annotated[
        bool, typer.Option("--power", help="With --benchmark: the smallest leak each test sees.")
    ] = False,
    seeds: Annotated[
        int, typer.Option(help="Markets a case, for --benchmark; by default 1, for --power 20.")
    ] = 0,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Prefect's log.")] = False,
) -> None:
    """Does anything see the future? Exit status 0: clean, 1: a leak, 2: it could not be told."""
    prepare(verbose)
    try:
        with stoppable("nothing half-written is left, run the same command again"):
            if benchmark:
                from flows.benchmark import DRAWS, run_benchmark, run_power

                if power:
                    raise typer.Exit(run_power(seeds or DRAWS, settings or [], subject))
                raise typer.Exit(run_benchmark(seeds or 1, settings or [], subject))
            raise typer.Exit(audited(subject, settings or [], quick))
    except typer.Exit:
        raise
    except Exception:  # exit status 1 says that there is a leak: a defect of ours must not
        traceback.print_exc()
        raise typer.Exit(2) from None


def audited(subject: str, settings: list[str], quick: bool) -> int:
    """Audit a forecaster, a configuration or a study; the exit status."""
    with few_collections():
        from conf.load import ConfigError
        from conf.study import study_of
    from flows.api import one_api

    if not subject:
        fail(
            "say what to audit: a YAML file, a preset, or module:function and the file of its rows"
        )
    outside = ":" in subject
    try:
        study = not outside and study_of(subject) is not None
        described = description_of(subject, settings, outside, study)
    except ConfigError as error:
        fail(error)
    with one_api() as api:
        with few_collections():
            from flows.compare import USER_ERRORS
        try:
            if study:
                from flows.batch_norm import run_study

                run_study(described, api)
                return 0
            from flows.audit import run_audit, run_outside

            run = run_outside if outside else run_audit
            return {"CLEAN": 0, "LEAK": 1}.get(run(described, quick, api).verdict, 2)
        except USER_ERRORS as error:
            fail(error)


def description_of(subject: str, settings: list[str], outside: bool, study: bool) -> Any:
    """What is to be audited, read and checked.

    Raises:
        ConfigError: It cannot be used.
    """
    from conf.load import ConfigError, load

    if outside:
        from conf.outside import load_outside

        if not settings or "=" in settings[0]:
            raise ConfigError(f"{subject} needs the file of its rows: audit {subject} rows.parquet")
        return load_outside(subject, settings[0], settings[1:])
    if study:
        from conf.study import load_study

        return load_study(subject, settings)
    return load(subject, settings)


@app.command()
def explain(
    model: Annotated[
        str, typer.Argument(help="latest, the id of a variant's run, or models:/name/version.")
    ] = "latest",
    settings: Annotated[
        list[str] | None, typer.Argument(help="key=value: symbol=AAPL date=2022-03-01 back=21")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Prefect's log.")] = False,
) -> None:
    """What changed a forecast of a logged model, feature by feature, as sentence and figure."""
    prepare(verbose)
    with stoppable("nothing half-written is left, run the same command again"):
        with few_collections():
            from conf.explanation import load_explanation
            from conf.load import ConfigError
        given = [*([model] if "=" in model else []), *(settings or [])]
        try:
            request = load_explanation("latest" if "=" in model else model, given)
        except ConfigError as error:
            fail(error)
        from flows.api import one_api

        with one_api() as api:
            with few_collections():
                from flows.compare import USER_ERRORS
                from flows.explain import run_explain
            try:
                run_explain(request, api)
            except USER_ERRORS as error:
                fail(error)


@app.command()
def ui(
    config: Annotated[str, typer.Argument(help="Whose tracking store to show.")] = "sp500",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open the MLflow UI on the store that comparisons are logged to."""
    if taken(port):
        fail(f"port {port} of {HOST} is in use; it may be this UI. If not: --port {port + 1}")
    prepare(verbose=False)
    from conf.load import ConfigError, load
    from tasks.track.store import resolve_uri

    try:
        uri = resolve_uri(load(config).tracking)
    except ConfigError as error:
        fail(error)
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    command = shutil.which("mlflow", path=str(Path(sys.executable).parent)) or "mlflow"
    options = ["--backend-store-uri", uri, "--host", HOST, "--port", str(port)]
    raise typer.Exit(subprocess.call([command, "server", *options, "--workers", "1"]))


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


def taken(port: int) -> bool:
    """Whether something listens on ``port``: MLflow would end in a traceback."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def fail(error: object) -> NoReturn:
    """Say what is wrong and stop with exit status 2."""
    typer.echo(f"error: {error}", err=True)
    raise typer.Exit(2)


def main() -> None:
    """Entry point of the ``foldproof`` command."""
    try:
        app()
    finally:
        gc.freeze()  # or the interpreter takes seconds to collect what it imported, and then ends
