"""The command line: ``foldproof compare conf/sp500.yaml training.epochs=5``."""

import gc
import os
import subprocess
from functools import partial
from typing import Annotated, Any

import typer

from foldproof.flows.shell import (
    HOST,
    defects_told,
    experiment_of,
    fail,
    few_collections,
    nightly,
    port_in_use,
    prepare,
    run_on,
    stoppable,
)

Config = Annotated[str, typer.Argument(help="A YAML file, or a preset: sp500, quick, noise.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key=value, such as training.epochs=5")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show Prefect's log.")]

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.callback()
def foldproof() -> None:
    """Which normalization, does anything see the future, which features carry the forecast."""


@app.command()
def compare(config: Config, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Compare normalization variants on one plan of walk-forward folds."""
    prepare(verbose)
    with stoppable("finished units are kept, the same command goes on from here"):
        run_on(lambda: experiment_of(config, overrides), "foldproof.flows.compare:run_compare")


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
    verbose: Verbose = False,
) -> None:
    """Does anything see the future? Exit status 0: clean, 1: a leak, 2: it could not be told."""
    prepare(verbose)
    with defects_told(), stoppable("nothing half-written is left, run the same command again"):
        if benchmark:
            from foldproof.flows.benchmark import DRAWS, run_benchmark, run_power

            if power:
                raise typer.Exit(run_power(seeds or DRAWS, settings or [], subject))
            raise typer.Exit(run_benchmark(seeds or 1, settings or [], subject))
        raise typer.Exit(audited(subject, settings or [], quick))


def audited(subject: str, settings: list[str], quick: bool) -> int:
    """Audit a forecaster, a configuration or a study; the exit status."""
    if not subject:
        fail(
            "say what to audit: a YAML file, a preset, or module:function and the file of its rows"
        )
    with few_collections():
        from foldproof.conf.load import ConfigError
        from foldproof.conf.study import study_of
    outside = ":" in subject
    try:
        study = not outside and study_of(subject) is not None
    except ConfigError as error:
        fail(error)
    runner = "run_outside" if outside else "run_audit"
    found = run_on(
        lambda: description_of(subject, settings, outside, study),
        "foldproof.flows.batch_norm:run_study" if study else f"foldproof.flows.audit:{runner}",
        *([] if study else [quick]),
    )
    return 0 if study else {"CLEAN": 0, "LEAK": 1}.get(found.verdict, 2)


def description_of(subject: str, settings: list[str], outside: bool, study: bool) -> Any:
    """What is to be audited, read and checked.

    Raises:
        ConfigError: It cannot be used.
    """
    from foldproof.conf.load import ConfigError, load

    if outside:
        from foldproof.conf.outside import load_outside

        if not settings or "=" in settings[0]:
            raise ConfigError(f"{subject} needs the file of its rows: audit {subject} rows.parquet")
        return load_outside(subject, settings[0], settings[1:])
    if study:
        from foldproof.conf.study import load_study

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
    verbose: Verbose = False,
) -> None:
    """What changed a forecast of a logged model, feature by feature, as sentence and figure."""
    prepare(verbose)
    given = [*([model] if "=" in model else []), *(settings or [])]
    with stoppable("nothing half-written is left, run the same command again"):
        run_on(
            lambda: explanation_of("latest" if "=" in model else model, given),
            "foldproof.flows.explain:run_explain",
        )


def explanation_of(model: str, settings: list[str]) -> Any:
    """What is to be explained, read and checked; raises ConfigError."""
    from foldproof.conf.explanation import load_explanation

    return load_explanation(model, settings)


@app.command()
def retrain(config: Config, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Retrain on the newest data; a gate decides whether the champion changes, and says why."""
    nightly(
        config, overrides, "foldproof.flows.retrain:run_retrain", verbose=verbose,
        left="finished units are kept, the champion is as it was, the same command goes on",
    )  # fmt: skip


@app.command()
def rollback(
    config: Config,
    settings: Annotated[
        list[str] | None, typer.Argument(help="The version to go back to; key=value.")
    ] = None,
) -> None:
    """Give the alias champion back to the version before it, or to the one named."""
    versions = [one for one in settings or [] if "=" not in one]
    if len(versions) > 1:
        fail(f"one version can be champion; named are {', '.join(versions)}")
    overrides = [one for one in settings or [] if "=" in one]
    prepare(verbose=False)
    with defects_told(), stoppable("the champion is as it was"):
        read = partial(experiment_of, config, overrides)
        run_on(read, "foldproof.flows.retrain:run_rollback", "".join(versions))


@app.command()
def score(config: Config, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Score the newest rows with the champion. Exit status 0: scored, 1: refused, 2: could not."""
    nightly(config, overrides, "foldproof.flows.score:run_score", verbose=verbose, status=refusal)


def refusal(scoring: Any) -> int:
    """1 where a check refused the night."""
    return int(scoring.refused)


@app.command()
def monitor(config: Config, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """What past scores were worth, what has moved. Exit status 0: well, 1: an alert, 2: unknown."""
    nightly(config, overrides, "foldproof.flows.monitor:run_monitor", verbose=verbose, status=alarm)


def alarm(seen: Any) -> int:
    """1 where there is an alert."""
    return int(bool(seen.alerts))


@app.command()
def ui(
    config: Annotated[str, typer.Argument(help="Whose tracking store to show.")] = "sp500",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open the MLflow UI on the store that comparisons are logged to."""
    if port_in_use(port):
        fail(f"port {port} of {HOST} is in use; it may be this UI. If not: --port {port + 1}")
    prepare(verbose=False)
    from foldproof.conf.load import ConfigError, load
    from foldproof.flows.processes.mlflow_ui import ALONE, ui_command
    from foldproof.tasks.track.store import resolve_uri

    try:
        uri = resolve_uri(load(config).tracking)
    except ConfigError as error:
        fail(error)
    raise typer.Exit(subprocess.call(ui_command(uri, port), env=ALONE | os.environ))


@app.command()
def serve(
    config: Annotated[
        str,
        typer.Argument(
            help="What all forms open with; by default sp500, and nightly for those on schedule."
        ),
    ] = "",
    overrides: Overrides = None,
    timezone: Annotated[
        str, typer.Option(help="Of the schedules; rows are there after the exchange closes.")
    ] = "America/New_York",
    port: Annotated[int, typer.Option(help="Of the Prefect server, on 127.0.0.1.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Of the MLflow UI, on 127.0.0.1.")] = 5000,
) -> None:
    """Prefect server, MLflow UI and every flow on schedule or on demand, on this machine."""
    prepare(verbose=True)
    with stoppable("everything that was started has ended; the same command goes on from here"):
        from foldproof.flows.serve import serve_config

        serve_config(config, overrides or [], timezone, port, mlflow_port)


def main() -> None:
    """Entry point of the ``foldproof`` command."""
    try:
        app()
    finally:
        gc.freeze()  # or the interpreter takes seconds to collect what it imported, and then ends
