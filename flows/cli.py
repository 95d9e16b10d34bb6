"""The command line: ``foldproof compare conf/sp500.yaml training.epochs=5``."""

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer

from foldproof.flows.command_line import nightly, servers, store
from foldproof.flows.command_line.arguments import LOAD, NOTHING_LEFT, Overrides, Verbose
from foldproof.flows.commands.shell import (
    INTERRUPTED,
    command,
    fail,
    fewer_collections,
    late,
    run_flow,
)

Config = Annotated[
    str, typer.Argument(help="A YAML file, or a preset: sp500, quick, noise, truth or study.")
]
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


app.command()(store.clean)
app.command()(store.init)


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


app.command("list")(store.list_)
app.command("open")(store.open_)
for one in (
    nightly.retrain, nightly.rollback, nightly.score, nightly.monitor, store.sync,
    servers.ui, servers.serve, servers.deploy,
):  # fmt: skip
    app.command()(one)


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
    compiled code, so that a command which had done everything ended with exit status 134. After
    Ctrl-C it does not wait for threads either, one of which may train for minutes.
    """
    if status != INTERRUPTED:
        threading._shutdown()  # type: ignore[attr-defined]  # the pools of concurrent.futures
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # its reader has gone, or it is closed
            stream.flush()
    os._exit(status)
