"""The terminal or log that every screen writes to."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from foldproof.flows.flow_runs.this_run import Progress
from foldproof.flows.processes.schedule import Job, drive
from foldproof.tasks.diagnose.counted_runs import Advance
from foldproof.tasks.track.store import Links

QUIET = 60.0
"""Seconds between two lines about the progress in a log."""
SPEED = 600.0
"""Seconds over which the speed of the tasks is averaged. A task may take minutes."""


def time_left(seconds: float | None) -> str:
    """The estimate of the time left, as text; empty where there is none."""
    if seconds is None or seconds <= 0:
        return ""
    if seconds < 60:
        return f"about {seconds:.0f} s left"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min left"
    return f"about {seconds / 3600:.1f} h left"


class Terminal:
    """Prints lines and, in a terminal, a progress bar."""

    def __init__(self, console: Console | None = None) -> None:
        width = None if sys.stdout.isatty() else 120  # a log must hold the closing table
        self.console = console or Console(highlight=False, soft_wrap=True, width=width)

    def say(self, text: str = "") -> None:
        """Print one line."""
        self.console.print(text, markup=False)

    def follow(self, jobs: Sequence[Job], later: int = 0) -> None:
        """Run jobs and show what is left.

        Args:
            jobs: The jobs.
            later: Jobs that these jobs will add.
        """
        total = len(jobs) + later
        with self.counting("training", total, "tasks") as advance:
            for done in drive(jobs, say=self.say):
                advance(done.title, total)

    @contextmanager
    def counting(self, step: str, total: int, noun: str) -> Iterator[Advance]:
        """Show how much is done and the time left, until the block ends.

        A terminal gets a bar that disappears at the end; a log gets a line in every
        :data:`QUIET` seconds. A deployed run shows its progress in the Prefect UI.

        Args:
            step: What is running at first.
            total: How many parts there are.
            noun: What the parts are, for the log.

        Yields:
            A function to call after each part with its title and the number of parts, which may
            have changed.
        """
        progress = ProgressBar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
            speed_estimate_period=SPEED,
        )
        with progress:
            bar = progress.add_task(step, total=total, left="")
            task, last = progress.tasks[0], time.monotonic()
            shown = Progress(total)

            def advance(title: str, total: int) -> None:
                nonlocal last
                progress.update(bar, advance=1, description=title, total=total)
                progress.update(bar, left=time_left(task.time_remaining))
                shown.advance(title, total)
                if progress.disable and time.monotonic() - last >= QUIET:
                    last = time.monotonic()
                    left = f"{task.completed:g} of {total} {noun} done"
                    self.say(", ".join(filter(None, [left, time_left(task.time_remaining)])))

            yield advance

    @contextmanager
    def busy(self, step: str) -> Iterator[None]:
        """Name the step that is running, in a terminal, until the block ends."""
        with self.console.status(step) if self.console.is_terminal else nullcontext():
            yield

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
