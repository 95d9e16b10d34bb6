"""What a comparison shows while it runs and when it ends: a bar, a line per variant, a table."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from foldproof.tasks.data import load
from foldproof.tasks.report import Results, answers
from foldproof.tasks.split import Fold
from foldproof.tasks.track.store import Links


class Screen:
    """Writes to a terminal or, without the bar, to a log."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True, width=width())

    def say(self, text: str = "") -> None:
        """One line."""
        self.console.print(text, markup=False)

    def opening(self, name: str, panel: Path, folds: tuple[Fold, ...]) -> None:
        """What is compared on what."""
        content = load(panel)
        days, symbols, features = content.values.shape
        self.say(name)
        self.say(
            f"{content.about['title']}: {days} days x {symbols} symbols x {features} features; "
            f"{len(folds)} folds, tested {folds[0].test_dates[0]} to {folds[-1].test_dates[-1]}"
        )
        for warning in content.about["warnings"]:
            self.say(f"warning: {warning}")

    def variant(self, name: str, rank_ic: float, verdict: str) -> None:
        """The line of a finished variant."""
        self.say(f"{name:<22} rank IC {rank_ic:+.4f}   leak audit {verdict}")

    @contextmanager
    def bar(self, total: int) -> Iterator["Bar"]:
        """A progress bar of ``total`` steps; it is gone when the steps are done."""
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

    def closing(
        self,
        results: Results,
        links: Links,
        wall: Mapping[str, float],
        work: Mapping[str, float],
    ) -> None:
        """The ranking, the answers, what it cost and where to look."""
        self.console.print(ranking_table(results))
        for answer in answers(results):
            self.say(f"- {answer}")
        self.say()
        self.say("seconds: " + ", ".join(f"{step} {s:.1f}" for step, s in wall.items()))
        self.say("CPU seconds in units: " + ", ".join(f"{k} {s:.1f}" for k, s in work.items()))
        self.say()
        if links.command:
            self.say(f"To look at it: {links.command}")
        self.say(f"Charts: {links.url}")
        self.say(f"Report: {links.report}")


def width() -> int | None:
    """The terminal's width; in a log, wide enough for the closing table."""
    return None if sys.stdout.isatty() else 120


class Bar:
    """The one bar of a Screen."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress = progress
        self.task = progress.add_task("training", total=total)

    def step(self, done: str) -> None:
        """One more is done."""
        self.progress.update(self.task, advance=1, description=done)


def ranking_table(results: Results) -> Table:
    """The closing table, best first; a star marks the model confidence set."""
    table = Table(title="Out of sample, all folds (* cannot be ruled out as best)")
    table.add_column("", no_wrap=True)
    for column in ("rank IC", "joint interval", "rank ICIR", "MSE / zero", "leak audit"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, row in results.ranking.iterrows():
        star = " *" if row["in_confidence_set"] else ""
        table.add_row(
            f"{name}{star}",
            number(row["rank_ic"], "+.4f"),
            f"{number(row['low'], '+.4f')} to {number(row['high'], '+.4f')}",
            number(row["rank_icir"], "+.3f"),
            number(row["mse_ratio"], ".4f"),
            results.verdict(str(name)),
        )
    return table


def number(value: float, form: str) -> str:
    """A number, or a dash where there is none."""
    return format(value, form) if value == value else "-"
