"""Earlier results: the comparisons of a tracking store, and the report of a run."""

import webbrowser

from rich.table import Table

from foldproof.flows.commands.shell import fail
from foldproof.flows.paths import REPORTS
from foldproof.flows.screens.terminal import Terminal
from foldproof.tasks.program import program, runnable
from foldproof.tasks.track.results.listing import Compared, comparisons, page_file
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import Store, TrackingError, database, open_store, resolve_uri

NUMBERS = ("variants", "rank IC")
"""Columns of numbers."""


def list_comparisons(config: str, most: int) -> None:
    """Print the comparisons of the store of ``config``, newest first.

    Ends with exit status 2 on an error that the user can correct.
    """
    screen, store = Terminal(), store_of(config)
    found = [] if store is None else comparisons(store, most)
    if store is None or not found:
        screen.say(runnable("there is no comparison yet: run foldproof compare quick"))
        return
    screen.console.print(listing(found))
    screen.say(f"Report of one of them: {program('foldproof', 'foldproof.flows')} open RUN")


def listing(found: list[Compared]) -> Table:
    """A row per comparison; times are those of this machine's clock."""
    table = Table(title="Comparisons, newest first")
    for head in ("finished", "name", "variants", "best", "rank IC", "leak audit", "run"):
        table.add_column(
            head, no_wrap=head != "name", justify="right" if head in NUMBERS else "left"
        )
    for one in found:
        table.add_row(
            f"{one.finished.astimezone():%Y-%m-%d %H:%M}",
            one.title,
            str(one.variants),
            one.best or "- (all leak)",
            "-" if one.rank_ic is None else f"{one.rank_ic:+.4f}",
            one.verdict if one.best else "LEAK",
            one.run_id[:8],
        )
    return table


def open_report(run: str, config: str, browser: bool) -> None:
    """Print the path of a run's report, and open it in the browser on request.

    Ends with exit status 2 on an error that the user can correct.
    """
    store = store_of(config)
    if store is None:
        fail("there is no comparison yet: run foldproof compare quick")
    try:
        file = page_file(store, run, REPORTS.resolve())
    except TrackingError as error:
        fail(error)
    if not file.is_file():
        fail(f"the report {file} was removed: run the comparison again in an empty folder")
    print(file)
    if browser and not webbrowser.open(file.as_uri()):
        fail(f"no browser can be started here; open the file {file}")


def store_of(config: str) -> Store | None:
    """The tracking store of a configuration, or the usual one; None if its database is missing.

    Ends with exit status 2 on an error that the user can correct.
    """
    try:
        tracking = configured_tracking(config)
        path = database(resolve_uri(tracking))
        if path is not None and not path.is_file():
            return None
        return open_store(tracking)
    except TrackingError as error:
        fail(error)


def configured_tracking(config: str) -> TrackingSpec:
    """The tracking section of a configuration; the default one without a configuration."""
    if not config:
        return TrackingSpec()
    from foldproof.conf.load import ConfigError, load  # here: it takes a second to import torch

    try:
        return load(config).tracking
    except ConfigError as error:
        fail(error)
