"""The command line: ``foldproof compare conf/sp500.yaml training.epochs=5``."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

HOME = Path(".foldproof")
"""Everything a comparison leaves on disk: panels, finished units, the embedded databases."""

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
    from conf.load import ConfigError, load

    try:
        experiment = load(config, overrides or [])
    except ConfigError as error:
        fail(error)
    from flows.compare import USER_ERRORS, run

    try:
        run(experiment)
    except USER_ERRORS as error:
        fail(error)
    except KeyboardInterrupt:
        typer.echo("interrupted; finished units are kept, the same command goes on from here")
        raise typer.Exit(130) from None


@app.command()
def audit(
    config: Annotated[str, typer.Argument(help="A YAML file with a key study.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key=value, such as panels=[noise]")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Prefect's log.")] = False,
) -> None:
    """Study what batch statistics do to a forecast."""
    prepare(verbose)
    from conf.load import ConfigError
    from conf.study import study_of

    try:
        if study_of(config) is None:
            raise ConfigError(f"{config}: a study is needed; it has no key study")
    except ConfigError as error:
        fail(error)
    from flows.batch_norm import run_study
    from flows.compare import USER_ERRORS

    try:
        run_study(config, overrides or [])
    except (ConfigError, *USER_ERRORS) as error:
        fail(error)
    except KeyboardInterrupt:
        typer.echo("interrupted; finished cells are kept, the same command goes on from here")
        raise typer.Exit(130) from None


@app.command()
def ui(
    config: Annotated[str, typer.Argument(help="Whose tracking store to show.")] = "sp500",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open the MLflow UI on the store that comparisons are logged to."""
    prepare(verbose=False)
    from conf.load import ConfigError, load
    from tasks.track.store import resolve_uri

    try:
        uri = resolve_uri(load(config).tracking)
    except ConfigError as error:
        fail(error)
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    command = shutil.which("mlflow", path=str(Path(sys.executable).parent)) or "mlflow"
    options = ["--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port)]
    raise typer.Exit(subprocess.call([command, "server", *options, "--workers", "1"]))


def prepare(verbose: bool) -> None:
    """Settings that must stand before prefect, mlflow and torch are imported."""
    if verbose:
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO")
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    HOME.mkdir(exist_ok=True)  # prefect makes its home, but not the folder above it
    if "PREFECT_API_URL" not in os.environ:
        os.environ.setdefault("PREFECT_HOME", str((HOME / "prefect").resolve()))
    os.environ.setdefault("PREFECT_RESULTS_LOCAL_STORAGE_PATH", str((HOME / "results").resolve()))
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def fail(error: Exception) -> None:
    """Say what is wrong and stop with exit status 2."""
    typer.echo(f"error: {error}", err=True)
    raise typer.Exit(2)


def main() -> None:
    """Entry point of the ``foldproof`` command."""
    app()
