"""The screen of a study on several panels: plan and cost, a part per panel, the answer."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from rich.table import Table

from foldproof.conf.panel_study import PanelStudy
from foldproof.conf.registration import Registration
from foldproof.flows.screens.comparison import number
from foldproof.flows.screens.terminal import Terminal
from foldproof.tasks.panel_study.networks import MEASURES
from foldproof.tasks.report.panel_study.answer import HEADS, study_answers
from foldproof.tasks.report.panel_study.results import PanelStudyResults, ordered
from foldproof.tasks.track.store import Links


class PanelStudyScreen(Terminal):
    """The printed output of a study."""

    def opening(
        self,
        study: PanelStudy,
        plan: Registration,
        absent: Mapping[str, str],
        expected: Mapping[str, float],
        workers: int,
    ) -> None:
        """What is run of which plan, what is missing, and the hours that it takes at most."""
        self.say(study.name)
        self.say(plan.sentence(absent))
        panels = len(study.panels) - len(absent)
        self.say(f"{panels} panels x {len(study.variants)} variants x {len(study.seeds)} seeds")
        for name, why in absent.items():
            self.say(f"left out: {name}: {why}")
        minutes = {name: f"{seconds / 60:.1f}" for name, seconds in expected.items()}
        parts = ", ".join(f"{name} {text}" for name, text in minutes.items())
        total = sum(expected.values())
        self.say(
            f"expected CPU minutes if nothing is finished yet: {total / 60:.0f} ({parts}), about "
            f"{total / 3600 / workers:.1f} hours with {workers} workers"
        )

    def panel(self, name: str, title: str) -> None:
        """The heading of a panel's comparison."""
        self.say()
        self.say(f"Panel {name}: {title}")

    def closing(
        self, results: PanelStudyResults, links: Links, folder: Path, wall: Mapping[str, float]
    ) -> None:
        """The pooled table, the answer, the time used, and where to look."""
        self.say()
        if len(results.pooled):
            self.console.print(pooled_screen(results))
        for head, answer in zip(HEADS, study_answers(results), strict=True):
            self.say(head)
            self.say(f"  {answer}")
        self.say(results.plan)
        for name, why in results.missing.items():
            self.say(f"left out: {name}: {why}")
        self.say()
        self.say_seconds("seconds", wall)
        self.say_seconds("CPU seconds in units", results.cpu)
        self.say(f"Files: {folder}")
        self.say_links(links)


def pooled_screen(results: PanelStudyResults) -> Table:
    """The pooled gains, highest first within each measure."""
    table = Table(title=f"Gain over {results.reference}, pooled over {len(results.real)} panels")
    table.add_column("", no_wrap=True)
    for head in ("measure", "gain", "interval", "on a new panel", "against"):
        table.add_column(head, justify="right", no_wrap=True)
    for _, row in ordered(results.pooled).iterrows():
        table.add_row(
            str(row["variant"]), MEASURES[row["measure"]], number(row["gain"], "+.4f"),
            span(row, "low", "high"), span(row, "predicted_low", "predicted_high"),
            str(row["against"]),
        )  # fmt: skip
    return table


def span(row: pd.Series, low: str, high: str) -> str:
    """An interval; a dash where there is none."""
    if pd.isna(row[low]):
        return "-"
    return f"{number(row[low], '+.4f')} to {number(row[high], '+.4f')}"
