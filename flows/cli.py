"""The command line: ``foldproof compare conf/sp500.yaml training.epochs=5``."""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer

from foldproof.flows.commands.shell import (
    HOST,
    command,
    fail,
    fewer_collections,
    late,
    port_in_use,
    prepare,
    run_flow,
)

Config = Annotated[
    str, typer.Argument(help="A YAML file, or a preset: sp500, quick, noise, truth or study.")
]
NightlyConfig = Annotated[str, typer.Argument(help="A YAML file, or the preset nightly.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="Settings as key=value, such as training.epochs=5.")
]
AllConfig = Annotated[
    str,
    typer.Argument(
        help="A YAML file or preset for all flows; by default nightly for scheduled flows, "
        "sp500 for the others."
    ),
]
STORE_HELP = "A YAML file or preset that names another tracking store."
StoreConfig = Annotated[str, typer.Argument(help=STORE_HELP)]
Most = Annotated[int, typer.Option(help="Comparisons to list at most.", min=1, max=1000)]
Timezone = Annotated[
    str,
    typer.Option(
        help="Time zone of the schedules and nights; by default operation.timezone.",
        show_default=False,
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show Prefect's log.")]

LOAD = "conf.load:load"
"""Reads the experiment of a file or preset with its overrides."""

NOTHING_LEFT = "no result is half-written; run the same command again"
UNITS_KEPT = "finished units are kept; run the same command again to resume"

EXIT_STATUS = {"CLEAN": 0, "LEAK": 1, "UNKNOWN": 2}
"""Exit status of an audit by its verdict."""

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_show_locals=False)


@app.callback()
def foldproof() -> None:
    """Compare the normalizations of an LSTM, audit it for look-ahead, explain its forecasts.

    Results go to .foldproof in the working directory. Every command ends with exit status 2 if it
    cannot run, with a message that says why, and with 130 if it is interrupted.
    """


@app.command()
def clean(
    older: Annotated[
        str, typer.Option(help="Time since the last use, in hours, days or weeks: 12h, 30d, 2w.")
    ] = "30d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove panels and results from .foldproof that no command has used for a while.

    Whatever goes can be made again; runs, models, reports and scores stay. Exit status 0: done,
    2: could not run, for instance because another command is running in this folder.
    """
    prepare(verbose=False)
    from foldproof.flows.commands.clean import InUseError
    from foldproof.flows.commands.clean import clean as removed

    try:
        typer.echo(removed(older, dry_run))
    except (InUseError, ValueError, OSError) as error:
        fail(error)


@app.command()
def init(
    table: Annotated[
        str,
        typer.Argument(help="A file of prices, or a folder with a file for each symbol."),
    ],
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
) -> None:
    """Look at a file of prices and write a configuration that compare runs.

    A file that compare cannot read (semicolons, a column per symbol, two header lines, other dates)
    is converted to a long table beside it. Exit status 0: written, 2: could not run.
    """
    with command(verbose=False, left="no file is half-written; run the same command again"):
        late("flows.commands.init:write_configuration")(table, force)


@app.command()
def compare(config: Config, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Compare normalization variants on one plan of walk-forward folds, or a study on many panels.

    The same command again trains nothing twice. Exit status 0: finished, 2: could not run, 3:
    finished in part: units are missing, or the results wait in the outbox.
    """
    with command(verbose, UNITS_KEPT):
        given = config, overrides or []
        if study_asked(config, "compare"):
            run_flow("conf.study:load_plan", given, "flows.panel_study:run_study")
        else:
            run_flow(LOAD, given, "flows.compare:run_compare")


@app.command()
def audit(
    subject: Annotated[
        str,
        typer.Argument(
            help="A YAML file, a preset (batch_norm is a study), or your own module:function."
        ),
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            help="Settings as key=value. For module:function, first give its Parquet or CSV file."
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer tests, at the cost of about one training.")
    ] = False,
    benchmark: Annotated[
        bool, typer.Option("--benchmark", help="Measure the audit itself on planted leaks.")
    ] = False,
    power: Annotated[
        bool,
        typer.Option("--power", help="With --benchmark: the smallest leak that each test detects."),
    ] = False,
    variants: Annotated[
        bool,
        typer.Option(
            "--variants",
            help="Measure every claim of all normalizations, or of the named ones; with --quick "
            "without CPU times.",
        ),
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(
            help="Simulated markets per case of --benchmark: by default 1, with --power 20.",
            show_default=False,
        ),
    ] = 0,
    verbose: Verbose = False,
) -> None:
    """Test variants, or your own forecaster, for information from the future.

    Exit status 0: clean, or a study that finished, 1: a leak, or a claim that does not hold, 2:
    inconclusive, or could not run.
    """
    with command(verbose, NOTHING_LEFT):
        keys = [key for key in (subject, *(settings or [])) if key]
        if variants:
            if benchmark or power or seeds:
                fail("--variants goes with --quick only, not with --benchmark, --power or --seeds")
            raise typer.Exit(late("flows.certify:run_certify")(keys, quick))
        if benchmark:
            from foldproof.flows.benchmark import DRAWS, run_benchmark, run_power

            if power:
                run_power(seeds or DRAWS, keys)
                raise typer.Exit
            raise typer.Exit(run_benchmark(seeds or 1, keys))
        raise typer.Exit(run_audit(subject, settings or [], quick))


def run_audit(subject: str, settings: list[str], quick: bool) -> int:
    """Audit a forecaster, a configuration or a study; returns the exit status."""
    if not subject:
        fail(
            "say what to audit: a YAML file, a preset, or module:function and the file of its rows"
        )
    if ":" in subject:
        if not settings or "=" in settings[0]:
            fail(f"{subject} needs the file of its rows: audit {subject} rows.parquet")
        given = subject, settings[0], settings[1:]
        found = run_flow("conf.outside:load_outside", given, "flows.audit:run_outside", quick)
        return EXIT_STATUS[found.verdict]
    if study_asked(subject, "audit"):
        run_flow("conf.study:load_study", (subject, settings), "flows.batch_norm:run_study")
        return 0
    found = run_flow(LOAD, (subject, settings), "flows.audit:run_audit", quick)
    return EXIT_STATUS[found.verdict]


STUDY_COMMANDS = {"batch_norm": "audit", "normalization": "compare"}
"""The command that runs each kind of study."""


def study_asked(subject: str, own: str) -> bool:
    """Whether ``subject`` is a study that the command ``own`` runs; ends if another one does."""
    with fewer_collections():
        from foldproof.conf.load import ConfigError, study_of
    try:
        kind = study_of(subject)
    except ConfigError as error:
        fail(error)
    right = STUDY_COMMANDS.get(kind or "", own)
    if right != own:
        fail(f"{subject} is a study of another command: foldproof {right} {subject}")
    return kind is not None


@app.command()
def explain(
    model: Annotated[
        str,
        typer.Argument(help="latest, the id of a variant's MLflow run, or models:/name/version."),
    ] = "latest",
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="Settings as key=value: symbol=AAPL date=2022-03-01 back=21."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Explain what changed a forecast of a logged model, feature by feature, as text and figure.

    Exit status 0: explained, 2: could not run.
    """
    given = settings or []
    if "=" in model:
        model, given = "latest", [model, *given]
    with command(verbose, NOTHING_LEFT):
        reader = "conf.explanation:load_explanation"
        run_flow(reader, (model, given), "flows.explain:run_explain", server=False)


def run_nightly(
    config: str,
    overrides: list[str] | None,
    runner: str,
    verbose: bool,
    failed: Callable[[Any], bool] = lambda _: False,
    left: str = NOTHING_LEFT,
    server: bool = True,
) -> None:
    """Run a nightly flow; the exit status is 1 where its result ``failed``."""
    with command(verbose, left):
        given = config, overrides or []
        result = run_flow(LOAD, given, f"flows.{runner}", server=server)
        raise typer.Exit(int(failed(result)))


@app.command("list")
def list_(config: StoreConfig = "", most: Most = 20) -> None:
    """List the comparisons in the tracking store, newest first.

    Exit status 0: listed, also if there is none, 2: could not run.
    """
    with command(verbose=False, left=NOTHING_LEFT):
        from foldproof.flows.commands.results import list_comparisons

        list_comparisons(config, most)


@app.command("open")
def open_(
    run: Annotated[
        str,
        typer.Argument(help="latest, or the id of a comparison's or an audit's MLflow run."),
    ] = "latest",
    config: Annotated[str, typer.Option(help=STORE_HELP)] = "",
    browser: Annotated[bool, typer.Option("--browser", help="Open it in the browser too.")] = False,
) -> None:
    """Print the path of the report of a comparison, by default the newest, or of an audit.

    Exit status 0: there is one, 2: could not run.
    """
    with command(verbose=False, left=NOTHING_LEFT):
        from foldproof.flows.commands.results import open_report

        open_report(run, config, browser)


@app.command()
def retrain(config: NightlyConfig, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Train new models on the newest rows; a gate decides whether the champion changes.

    Exit status 0: decided, even if the champion stays, 2: could not run.
    """
    left = "finished units are kept, the champion is unchanged; run the command again to resume"
    run_nightly(config, overrides, "retrain:run_retrain", verbose, left=left)


@app.command()
def rollback(
    config: NightlyConfig,
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="The version to return to; settings as key=value."),
    ] = None,
) -> None:
    """Move the champion alias back to the previous version, or to the given one.

    Exit status 0: moved, 2: could not run.
    """
    given = settings or []
    versions = [one for one in given if "=" not in one]
    if len(versions) > 1:
        fail(f"give one version to return to, not {len(versions)}: {', '.join(versions)}")
    overrides = [one for one in given if "=" in one]
    with command(verbose=False, left="the champion is unchanged"):
        run_flow(LOAD, (config, overrides), "flows.retrain:run_rollback", "".join(versions))


@app.command()
def score(config: NightlyConfig, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Score the newest rows with the champion.

    Exit status 0: scored, 1: a check refused the night, 2: could not run.
    """
    run_nightly(config, overrides, "score:run_score", verbose, lambda it: it.refused, server=False)


@app.command()
def monitor(config: NightlyConfig, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Compare past scores with realised returns; test features and importance for drift.

    Exit status 0: no alert, 1: an alert, 2: could not run.
    """
    run_nightly(config, overrides, "monitor:run_monitor", verbose, lambda it: bool(it.alerts))


@app.command()
def sync() -> None:
    """Send the results that wait in .foldproof/outbox to the tracking store that did not answer.

    A retraining's decision is then applied to the registry. Nothing is sent twice. Exit status 0:
    nothing waits any more, 2: could not run, or not send everything.
    """
    with command(verbose=False, left="what was not sent still waits; run the same command again"):
        from foldproof.flows.commands.sync import run_sync

        run_sync()


@app.command()
def ui(
    config: Annotated[
        str, typer.Argument(help="A YAML file or preset, whose tracking store is opened.")
    ] = "sp500",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open the MLflow UI on the results, until Ctrl-C.

    Exit status 2: could not run, 130: ended by Ctrl-C.
    """
    if port_in_use(port):
        fail(
            f"port {port} of {HOST} is in use, perhaps by this UI already. "
            f"If not, use another port: --port {port + 1}"
        )
    with command(verbose=False, left="the MLflow UI has ended"):
        from foldproof.flows.commands.serve import show_ui

        show_ui(config, port)


@app.command()
def serve(
    config: AllConfig = "",
    overrides: Overrides = None,
    timezone: Timezone = "",
    port: Annotated[int, typer.Option(help="Port of the Prefect server on 127.0.0.1.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow UI on 127.0.0.1.")] = 5000,
) -> None:
    """Run Prefect, MLflow and every flow, on schedule or on demand, on this machine until Ctrl-C.

    Exit status 2: could not run, 130: ended by Ctrl-C.
    """
    with command(
        verbose=True,
        left="all servers and runs have ended; run the same command again to resume",
    ):
        from foldproof.flows.commands.serve import serve_config

        serve_config(config, overrides or [], timezone, port, mlflow_port)


@app.command()
def deploy(
    config: AllConfig = "",
    overrides: Overrides = None,
    timezone: Timezone = "",
    pool: Annotated[str, typer.Option(help="A Prefect work pool of type process.")] = "foldproof",
) -> None:
    """Register every flow with the Prefect server at PREFECT_API_URL, for workers in this folder.

    Exit status 0: registered, 2: could not run.
    """
    with command(verbose=False, left="run the same command again"):
        from foldproof.flows.commands.serve import deploy_config

        deploy_config(config, overrides or [], timezone, pool)


def main() -> NoReturn:
    """Entry point of the ``foldproof`` command."""
    status: Any = 0
    try:
        app()
    except SystemExit as end:
        status = end.code
    leave(status if isinstance(status, int) else int(status is not None))


def leave(status: int) -> NoReturn:
    """End the process after its exit functions, without tearing down the interpreter.

    The teardown takes seconds of garbage collection. On a busy machine it sometimes aborted in
    compiled code, so that a command which had done everything ended with exit status 134.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # the pools of concurrent.futures
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # its reader has gone, or it is closed
            stream.flush()
    os._exit(status)
