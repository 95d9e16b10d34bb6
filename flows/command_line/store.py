"""The commands on files and results: init, list, open, clean and sync."""

from typing import Annotated

import typer

from foldproof.flows.command_line.arguments import NOTHING_LEFT
from foldproof.flows.commands.shell import command, fail, late, prepare

STORE_HELP = "A YAML file or preset that names another tracking store."
StoreConfig = Annotated[str, typer.Argument(help=STORE_HELP)]
Most = Annotated[int, typer.Option(help="Comparisons to list at most.", min=1, max=1000)]


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


def list_(config: StoreConfig = "", most: Most = 20) -> None:
    """List the comparisons in the tracking store, newest first.

    Exit status 0: listed, also if there is none, 2: could not run.
    """
    with command(verbose=False, left=NOTHING_LEFT):
        late("flows.commands.results:list_comparisons")(config, most)


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
        late("flows.commands.results:open_report")(run, config, browser)


def clean(
    older: Annotated[
        str, typer.Option(help="Time since the last use, in hours, days or weeks: 12h, 30d, 2w.")
    ] = "30d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove panels, results and scores from .foldproof that nobody has used for a while.

    Whatever goes can be made again, or is in the tracking store too; runs, models and reports stay,
    and a model's newest scores. A server may be running, but no command and no run. Exit status 0:
    done, 2: could not run, for instance because another command is running in this folder.
    """
    prepare(verbose=False)
    from foldproof.flows.commands.clean import InUseError
    from foldproof.flows.commands.clean import clean as removed

    try:
        typer.echo(removed(older, dry_run))
    except (InUseError, ValueError, OSError) as error:
        fail(error)


def sync() -> None:
    """Send the results that wait in .foldproof/outbox to the tracking store that did not answer.

    A retraining's decision is then applied to the registry. Nothing is sent twice. Exit status 0:
    nothing waits any more, 2: could not run, or not send everything.
    """
    with command(verbose=False, left="what was not sent still waits; run the same command again"):
        late("flows.commands.sync:run_sync")()
