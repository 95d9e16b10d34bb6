"""The results of a study on several panels: what is drawn, shown and logged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from foldproof.tasks.compare.bases import bases_of
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.panel_study.networks import MEASURES
from foldproof.tasks.panel_study.tables import (
    PanelOutcome,
    Role,
    controls_table,
    detectable_gains,
    leaking_anywhere,
    panel_table,
    pooled_table,
)
from foldproof.tasks.panel_study.variance import variance_components
from foldproof.tasks.report.text import on_own_batches


@dataclass(frozen=True, eq=False)
class PanelStudyResults:
    """A finished study.

    Attributes:
        title: Name of the study.
        question: What it asks.
        study_id: Hash of everything that decides it.
        config: The resolved configuration.
        config_yaml: The same as YAML; the file repeats this run.
        plan: The plan, its commit, and which part of it was run, in sentences.
        commit: The commit of the plan; empty unless the file still is as committed.
        statistics: Reference, margin and level.
        titles: Titles of the panels that were compared, in order.
        roles: Their roles.
        table: See :func:`~foldproof.tasks.panel_study.tables.panel_table`, all panels.
        pooled: See :func:`~foldproof.tasks.panel_study.tables.pooled_table`.
        controls: See :func:`~foldproof.tasks.panel_study.tables.controls_table`.
        detectable: See :func:`~foldproof.tasks.panel_study.tables.detectable_gains`.
        components: panel and the columns of
            :func:`~foldproof.tasks.panel_study.variance.variance_components`, for the rank ICs of
            variants that leak on no panel.
        links: Summary run and address of each panel's comparison.
        missing: What is left out, with the reason.
        seconds: Wall time by step.
        cpu: CPU seconds in units, by panel; finished units cost nothing again.
        code_version: Hash of the code.
    """

    title: str
    question: str
    study_id: str
    config: Mapping[str, Any]
    config_yaml: str
    plan: str
    commit: str
    statistics: StatisticsSpec
    titles: Mapping[str, str]
    roles: Mapping[str, Role]
    table: pd.DataFrame
    pooled: pd.DataFrame
    controls: pd.DataFrame
    detectable: pd.DataFrame
    components: pd.DataFrame
    links: Mapping[str, tuple[str, str]]
    missing: Mapping[str, str]
    seconds: Mapping[str, float]
    cpu: Mapping[str, float]
    code_version: str

    @property
    def reference(self) -> str:
        """The variant that gains are measured against."""
        return self.statistics.base(list(dict.fromkeys(self.table["variant"])))

    @property
    def on_own_batches(self) -> str:
        """Which gains are over the reference on other batches; empty if none."""
        over = bases_of(list(dict.fromkeys(self.table["variant"])), self.reference)
        return on_own_batches(over, self.reference)

    @property
    def real(self) -> list[str]:
        """The panels that are pooled."""
        return [name for name, role in self.roles.items() if role is Role.REAL]

    @property
    def seeds(self) -> int:
        """Networks of each variant and fold."""
        return int(self.table["seeds"].max())

    @property
    def variants(self) -> list[str]:
        """Variants with a gain, those with the highest pooled gain in rank IC first.

        Those that are not pooled, because they leak, come last.
        """
        names = [name for name in dict.fromkeys(self.table["variant"]) if name != self.reference]
        pooled = self.pooled.reindex(columns=["measure", "variant", "gain"])
        own = pooled[pooled["measure"] == "rank_ic"].dropna(subset="gain")
        gains = dict(zip(own["variant"], own["gain"], strict=True))
        return sorted(names, key=lambda name: -gains.get(name, -9.0))


def study_results(
    panels: Mapping[str, PanelOutcome], statistics: StatisticsSpec, **facts: Any
) -> PanelStudyResults:
    """The results of a study from the scores of its panels; ``facts`` are the other fields."""
    parts = {name: panel_table(name, one, statistics) for name, one in panels.items()}
    leaking = leaking_anywhere(panels)
    components = {
        name: variance_components(one.rank_ics_without(leaking), one.scores.folds, one.horizon)
        for name, one in panels.items()
    }
    return PanelStudyResults(
        statistics=statistics,
        titles={name: one.title for name, one in panels.items()},
        roles={name: one.role for name, one in panels.items()},
        table=pd.concat(parts.values(), ignore_index=True),
        pooled=pooled_table(panels, statistics),
        controls=controls_table(panels, statistics.level),
        detectable=detectable_gains(panels, statistics),
        components=pd.concat(components, names=["panel"]).reset_index(),
        **facts,
    )


def ordered(pooled: pd.DataFrame) -> pd.DataFrame:
    """The pooled table by measure, highest gain first."""
    place = [[*MEASURES].index(measure) for measure in pooled["measure"]]
    if not place:
        return pooled
    return pooled.assign(place=place, down=-pooled["gain"]).sort_values(["place", "down"])
