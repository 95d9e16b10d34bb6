"""What a study of batch statistics came to: the one value that is drawn, shown and logged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from foldproof.tasks.batch_study.answer import StudySettings


@dataclass(frozen=True, eq=False)
class StudyResults:
    """A finished study.

    Attributes:
        title: Its name.
        study_id: Hash of all that decides it.
        config: The resolved description.
        config_yaml: The same as YAML.
        panels: What a reader must know of each panel, in order.
        reference: The normalization that gains are taken against.
        normalizations: Keys, in order.
        compositions: Titles, in order.
        level: Of each interval.
        rows: One line a network; see :class:`~tasks.diagnose.batch_study.Scored`.
        table: One line a cell; see :func:`~tasks.diagnose.batch_table.table_of`.
        skipped: normalization, composition, reason of each cell that cannot be.
        answer: The question answered, a paragraph an entry.
        seconds: Wall seconds by step.
        code_version: Of everything.
    """

    title: str
    study_id: str
    config: dict[str, Any]
    config_yaml: str
    panels: Mapping[str, StudySettings]
    reference: str
    normalizations: tuple[str, ...]
    compositions: tuple[str, ...]
    level: float
    rows: pd.DataFrame
    table: pd.DataFrame
    skipped: pd.DataFrame
    answer: list[str]
    seconds: Mapping[str, float]
    code_version: str

    @property
    def seeds(self) -> int:
        """Networks in a cell."""
        return int(self.rows["seed"].nunique())

    def cell(self, panel: str, normalization: str, composition: str) -> pd.Series | None:
        """The line of a cell, or None where it was skipped."""
        t = self.table
        one = t[
            (t["panel"] == panel)
            & (t["normalization"] == normalization)
            & (t["composition"] == composition)
        ]
        return one.iloc[0] if len(one) else None


def answer_markdown(results: StudyResults) -> str:
    """The answer as Markdown, with what was skipped and how the intervals are meant."""
    lines = [f"# {results.title}", ""]
    lines += [f"- {paragraph}" for paragraph in results.answer]
    lines += ["", meaning(results), ""]
    for (name, reason), cells in results.skipped.groupby(["normalization", "reason"], sort=False):
        lines.append(f"Skipped: {name}, {', '.join(cells['composition'])}: it {reason}.")
    return "\n".join(lines)


def meaning(results: StudyResults) -> str:
    """How to read an interval of the table."""
    return (
        f"Mean daily rank IC on the test block; intervals are Student's t over {results.seeds} "
        f"seeds at {results.level:.0%}, each by itself. Of the cells that the words name on a "
        f"panel, {1 - results.level:.0%} at most may be there by luck (Benjamini and Hochberg). "
        "Synthetic panels are drawn anew for every seed. A real panel is the same for all, so its "
        "intervals hold the luck of training and not that of the period."
    )
