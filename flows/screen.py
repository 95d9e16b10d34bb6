"""What a comparison shows while it runs and when it ends: a bar, a line per variant, a table."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


class Screen:
    """Writes to a terminal or, without the bar, to a log."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(text, markup=False)

    def variant(self, name: str, rank_ic: float, verdict: str) -> None:
        """The line of a finished variant."""
        self.say(f"{name:<22} rank IC {rank_ic:+.4f}   leak audit {verdict}")

    @contextmanager
    def bar(self, total: int) -> Iterator["Bar"]:
        """A progress bar of ``total`` steps; it is gone when the steps are done."""
        with self.progress:
            yield Bar(self.progress, total)

    def table(self, ranking: pd.DataFrame, verdicts: Iterable[str], names: Iterable[str]) -> None:
        """The closing table, best first."""
        table = Table(title="Out of sample, all folds", title_justify="left")
        for column in ("", "rank IC", "joint interval", "rank ICIR", "MSE / zero", "leak audit"):
            table.add_column(column, justify="left" if not column else "right", no_wrap=True)
        for (_, row), verdict, name in zip(ranking.iterrows(), verdicts, names, strict=True):
            interval = f"[{row['low']:+.4f}, {row['high']:+.4f}]" if row.notna()["low"] else "-"
            best = " *" if row.get("in_confidence_set") is True else ""
            table.add_row(
                name + best,
                number(row["rank_ic"], "+.4f"),
                interval.replace("[", r"\["),
                number(row["rank_icir"], "+.3f"),
                number(row["mse_ratio"], ".4f"),
                verdict,
            )
        self.console.print(table)


class Bar:
    """The one bar of a Screen."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress = progress
        self.task = progress.add_task("training", total=total)

    def step(self, doing: str) -> None:
        """One more is done; ``doing`` says what is running."""
        self.progress.update(self.task, advance=1, description=doing)


def number(value: float, form: str) -> str:
    """A number, or a dash where there is none."""
    return format(value, form) if value == value else "-"
