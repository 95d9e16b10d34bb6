"""What a study of batch statistics shows while it runs and when it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from foldproof.conf.study import BatchStudy
from foldproof.flows.screens.comparison import Bar, Screen
from foldproof.tasks.batch_study import Scored
from foldproof.tasks.batch_study.answer import interval_text, signed
from foldproof.tasks.report.batch_study.results import StudyResults, meaning
from foldproof.tasks.track.store import Links


class StudyScreen:
    """Writes to a terminal or, without the bar, to a log."""

    def __init__(self) -> None:
        self.screen = Screen()

    def opening(self, study: BatchStudy, skipped: pd.DataFrame) -> None:
        """What is studied, and which combinations cannot be, with the reason."""
        say = self.screen.say
        cells = len(study.normalizations) * len(study.compositions) - len(skipped)
        say(study.name)
        say(f"{len(study.panels)} panels x {cells} cells x {len(study.seeds)} seeds")
        for (name, reason), own in skipped.groupby(["normalization", "reason"], sort=False):
            say(f"skipped: {name} on {', '.join(own['composition'])}: it {reason}")

    def cell(self, panel: str, name: str, composition: str, scored: list[Scored]) -> None:
        """The line of a finished cell."""
        honest = np.mean([one.honest for one in scored])
        train_mode = np.mean([one.train_mode for one in scored])
        self.screen.say(
            f"{panel:<8}{name:<20}{composition:<24}honest {honest:+.3f}   "
            f"train mode {train_mode:+.3f}"
        )

    @contextmanager
    def bar(self, total: int) -> Iterator[Bar]:
        """A progress bar of ``total`` cells."""
        with self.screen.bar(total) as bar:
            yield bar

    def closing(self, results: StudyResults, links: Links, folder: Path, seconds: float) -> None:
        """The table, the answer, what it cost and where to look."""
        say = self.screen.say
        for panel in results.panels:
            self.screen.console.print(panel_table(results, panel))
        say(meaning(results))
        say()
        for paragraph in results.answer:
            say(f"- {paragraph}")
        say()
        say("seconds: " + ", ".join(f"{step} {s:.1f}" for step, s in results.seconds.items()))
        say(f"CPU seconds in cells: {seconds:.1f}")
        if links.command:
            say(f"To look at it: {links.command}")
        say(f"Run: {links.report}")
        say(f"Files: {folder}")


def panel_table(results: StudyResults, panel: str) -> Table:
    """One panel's cells: honest and train-mode scores with intervals, and one date a batch."""
    table = Table(title=f"{results.panels[panel].title}: rank IC [{results.level:.0%} interval]")
    table.add_column("normalization", no_wrap=True)
    table.add_column("batches", no_wrap=True)
    for head in ("honest", "train mode", "by date"):
        table.add_column(head, justify="right", no_wrap=True)
    for _, row in results.table[results.table["panel"] == panel].iterrows():
        cells = [interval_text(row, score) for score in ("honest", "train_mode")]
        last = signed(row["train_mode_dates"])
        table.add_row(str(row["normalization"]), str(row["composition"]), *cells, last)
    return table
