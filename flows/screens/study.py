"""The screen of a study of batch statistics: a line per cell, tables, answer, where to look."""

from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from foldproof.conf.study import BatchStudy
from foldproof.flows.screens.terminal import Terminal
from foldproof.tasks.batch_study import Scored
from foldproof.tasks.batch_study.answer import interval_text, signed
from foldproof.tasks.report.batch_study.results import StudyResults, meaning
from foldproof.tasks.track.store import Links


class StudyScreen(Terminal):
    """The printed output of a study."""

    def opening(self, study: BatchStudy, skipped: pd.DataFrame) -> None:
        """The size of the study, and which combinations are impossible, with the reason."""
        cells = len(study.normalizations) * len(study.compositions) - len(skipped)
        self.say(study.name)
        self.say(f"{len(study.panels)} panels x {cells} cells x {len(study.seeds)} seeds")
        for (name, reason), own in skipped.groupby(["normalization", "reason"], sort=False):
            self.say(f"skipped: {name} on {', '.join(own['composition'])}: it {reason}")

    def cell(self, panel: str, name: str, composition: str, scored: list[Scored]) -> None:
        """The line of a finished cell."""
        honest = np.mean([one.honest for one in scored])
        train_mode = np.mean([one.train_mode for one in scored])
        self.say(
            f"{panel:<8}{name:<20}{composition:<24}honest {honest:+.3f}   "
            f"train mode {train_mode:+.3f}"
        )

    def closing(self, results: StudyResults, links: Links, folder: Path, seconds: float) -> None:
        """The tables, the answer, the time used, and where to look."""
        for panel in results.panels:
            self.console.print(panel_table(results, panel))
        self.say(meaning(results))
        self.say()
        for paragraph in results.answer:
            self.say(f"- {paragraph}")
        self.say()
        self.say_seconds("seconds", results.seconds)
        self.say(f"CPU seconds in cells: {seconds:.1f}")
        self.say(f"Files: {folder}")
        self.say_links(links, "Run")


def panel_table(results: StudyResults, panel: str) -> Table:
    """One panel's cells: honest and train-mode rank IC with intervals, and one date per batch."""
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
