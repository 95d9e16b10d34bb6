"""The terminal or log that every screen writes to."""

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from foldproof.flows.processes.schedule import Job, drive
from foldproof.tasks.track.store import Links


class Terminal:
    """Prints lines and, in a terminal, a progress bar."""

    def __init__(self, console: Console | None = None) -> None:
        width = None if sys.stdout.isatty() else 120  # a log must hold the closing table
        self.console = console or Console(highlight=False, soft_wrap=True, width=width)

    def say(self, text: str = "") -> None:
        """Print one line."""
        self.console.print(text, markup=False)

    def follow(self, jobs: Sequence[Job], width: int, later: int = 0) -> None:
        """Run jobs, at most ``width`` at a time, with a progress bar that disappears at the end.

        Args:
            jobs: The jobs.
            width: Tasks in flight.
            later: Jobs that these jobs will add.
        """
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        with progress:
            bar = progress.add_task("training", total=len(jobs) + later)
            for done in drive(jobs, width, say=self.say):
                progress.update(bar, advance=1, description=done.title)

    def say_seconds(self, title: str, seconds: Mapping[str, float]) -> None:
        """Print the seconds of each step in one line."""
        self.say(f"{title}: " + ", ".join(f"{step} {s:.1f}" for step, s in seconds.items()))

    def say_links(self, links: Links, title: str = "Report") -> None:
        """Print the report's file, its address in MLflow, and how to start MLflow's UI."""
        if links.file:
            self.say(f"{title}: {links.file}")
        if not links.sent:
            return
        if links.command:
            self.say(f"To open MLflow: {links.command}")
        self.say(f"{title} in MLflow: {links.report}")
