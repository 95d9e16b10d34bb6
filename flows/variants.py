"""Train, attribute and diagnose every variant: the units side by side, variant after variant."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from conf.schema import Experiment
from flows.schedule import Job, drive
from flows.screen import Screen
from tasks.attribute import Attribution
from tasks.attribute.task import attribute
from tasks.compare import daily_rank_ic
from tasks.diagnose import Finding
from tasks.diagnose.finding import overall
from tasks.diagnose.task import diagnose
from tasks.split.task import Plan
from tasks.timing import Timed
from tasks.train import PREFIX, TrainedUnit, Unit
from tasks.train.task import forecast_reference, train


@dataclass(eq=False)
class Fitted:
    """What the units came to, gathered as they finish.

    Attributes:
        trained: By variant, in the order of the plan and the seeds.
        references: Forecasts of the reference forecasters, a frame per fold.
        attributions: By variant, one a unit.
        findings: By variant.
        seconds: CPU seconds by step, over all processes.
    """

    trained: dict[str, list[TrainedUnit]] = field(default_factory=dict)
    references: list[pd.DataFrame] = field(default_factory=list)
    attributions: dict[str, list[Attribution]] = field(default_factory=dict)
    findings: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)

    @property
    def forecasts(self) -> pd.DataFrame:
        """One long table, variants first, then references."""
        units = [one.forecasts for trained in self.trained.values() for one in trained]
        return pd.concat([*units, *self.references], ignore_index=True)


def units_of(experiment: Experiment, variant: str, plan: Plan, fingerprint: str) -> list[Unit]:
    """The units of one variant: every fold with every seed."""
    return [
        Unit(
            variant, fold, seed, experiment.network, experiment.training, fingerprint, plan.hash
        )
        for fold in plan.folds
        for seed in experiment.seeds
    ]


def fit_variants(
    experiment: Experiment, panel: Path, fingerprint: str, plan: Plan, screen: Screen
) -> Fitted:
    """Submit everything, a variant's attribution and audit as soon as its units are trained."""
    fitted = Fitted()
    work = _Work(experiment, panel, fitted, screen)
    jobs = [
        job
        for variant in experiment.variants
        for job in work.variant(variant, units_of(experiment, variant, plan, fingerprint))
    ]
    jobs += [work.reference(name, plan) for name in experiment.references]
    return fitted


@dataclass(eq=False)
class _Work:
    """Turns variants and references into jobs that fill ``fitted``."""

    experiment: Experiment
    panel: Path
    fitted: Fitted
    screen: Screen
