"""The results of a study of batch statistics: what is drawn, shown and logged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from foldproof.tasks.batch_study.answer import StudySettings
from foldproof.tasks.markdown import escaped
from foldproof.tasks.report.text import label


@dataclass(frozen=True, eq=False)
class StudyResults:
    """A finished study.

    Attributes:
        title: Name of the study.
        study_id: Hash of all its inputs.
        config: The resolved configuration.
        config_yaml: The same as YAML.
        panels: Title and true rank IC of each panel, in order.
        reference: The normalization that gains are measured against.
        normalizations: Keys, in order.
        compositions: Titles, in order.
        level: Confidence level of each interval.
        rows: One row per network; see :class:`~foldproof.tasks.batch_study.Scored`.
        table: One row per cell; see :func:`~foldproof.tasks.batch_study.table.table_of`.
        skipped: normalization, composition, reason of each combination that is impossible.
        answer: The answer, one paragraph per entry.
        seconds: Wall time by step.
        code_version: Hash of the code.
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
        """Networks per cell."""
        return int(self.rows["seed"].nunique())

    def cell(self, panel: str, normalization: str, composition: str) -> pd.Series | None:
        """The row of a cell; None if it was skipped."""
        t = self.table
        one = t[
            (t["panel"] == panel)
            & (t["normalization"] == normalization)
            & (t["composition"] == composition)
        ]
        return one.iloc[0] if len(one) else None


def answer_markdown(results: StudyResults) -> str:
    """The answer as Markdown, with the skipped cells and how to read the intervals."""
    lines = [f"# {escaped(results.title)}", ""]
    lines += [f"- {escaped(paragraph)}" for paragraph in results.answer]
    lines += ["", meaning(results), ""]
    for (name, reason), cells in results.skipped.groupby(["normalization", "reason"], sort=False):
        batches = ", ".join(cells["composition"])
        lines.append(escaped(f"Skipped: {label(str(name))}, {batches}: it {reason}."))
    return "\n".join(lines)


def meaning(results: StudyResults) -> str:
    """How to read an interval of the table."""
    return (
        f"Mean daily rank IC on the test block; intervals are Student's t over {results.seeds} "
        f"seeds at {results.level:.0%} for each cell alone. At most {1 - results.level:.0%} of the "
        "cells named for a panel are expected to be chance (Benjamini and "
        "Hochberg). A synthetic panel is drawn anew for every seed. A real panel is the same for "
        "all seeds, so its intervals cover the randomness of training but not of the period."
    )
