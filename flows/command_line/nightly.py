"""The commands of the nights: retrain, rollback, score and monitor."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from foldproof.flows.command_line.arguments import LOAD, NOTHING_LEFT, Overrides, Verbose
from foldproof.flows.commands.shell import command, fail, run_flow

NightlyConfig = Annotated[str, typer.Argument(help="A YAML file, or the preset nightly.")]


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


def retrain(config: NightlyConfig, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Train new models on the newest rows; a gate decides whether the champion changes.

    Exit status 0: decided, even if the champion stays, 2: could not run.
    """
    left = "finished units are kept, the champion is unchanged; run the command again to resume"
    run_nightly(config, overrides, "retrain:run_retrain", verbose, left=left)


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


def score(config: NightlyConfig, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Score the newest rows with the champion.

    Exit status 0: scored, 1: a check refused the night, 2: could not run.
    """
    run_nightly(config, overrides, "score:run_score", verbose, lambda it: it.refused, server=False)


def monitor(config: NightlyConfig, overrides: Overrides = None, verbose: Verbose = False) -> None:
    """Compare past scores with realised returns; test features and importance for drift.

    Exit status 0: no alert, 1: an alert, 2: could not run.
    """
    run_nightly(config, overrides, "monitor:run_monitor", verbose, lambda it: bool(it.alerts))
