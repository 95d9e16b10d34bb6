"""The terminal or log that every screen writes to."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from foldproof.tasks.track.store import Links


class Terminal:
    """Prints lines and, in a terminal, a progress bar."""

    def __init__(self, console: Console | None = None) -> None:
        width = None if sys.stdout.isatty() else 120  # a log must hold the closing table
        self.console = console or Console(highlight=False, soft_wrap=True, width=width)

    def say(self, text: str = "") -> None:
        """Print one line."""
        self.console.print(text, markup=False)

    @contextmanager
    def bar(self, total: int) -> Iterator["Bar"]:
        """A progress bar of ``total`` steps, which disappears at the end."""
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
            yield Bar(progress, total)

    def say_seconds(self, title: str, seconds: Mapping[str, float]) -> None:
        """Print the seconds of each step in one line."""
        self.say(f"{title}: " + ", ".join(f"{step} {s:.1f}" for step, s in seconds.items()))

    def say_links(self, links: Links, title: str = "Report") -> None:
        """Print the report's file, its address in MLflow, and how to start MLflow's UI."""
        if links.file:
            self.say(f"{title}: {links.file}")
        if links.command:
            self.say(f"To open MLflow: {links.command}")
        self.say(f"{title} in MLflow: {links.report}")


class Bar:
    """A progress bar."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress = progress
        self.task = progress.add_task("training", total=total)

    def step(self, done: str) -> None:
        """One more step is done."""
        self.progress.update(self.task, advance=1, description=done)
