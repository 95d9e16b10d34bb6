"""The Prefect task of this step: cut and audit the plan of folds."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from prefect import task

from foldproof.tasks.data import load
from foldproof.tasks.split.audit import audit_plan
from foldproof.tasks.split.combinatorial import CombinatorialPurged
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.split.paths import Paths
from foldproof.tasks.split.plans import SplitPlan
from foldproof.tasks.split.walk_forward import plan_hash, scored_folds


@dataclass(frozen=True, eq=False)
class Plan:
    """Folds, their hash, and the audit table of their borders.

    Attributes:
        folds: The scored folds, oldest first.
        hash: Their hash.
        audit: Borders of all folds.
        tuning: Older folds on which settings are chosen; they are not scored.
        paths: Of a combinatorial plan, whose folds forecast dates several times; None otherwise.
    """

    folds: tuple[Fold, ...]
    hash: str
    audit: pd.DataFrame
    tuning: tuple[Fold, ...] = ()
    paths: Paths | None = None

    @property
    def by_date(self) -> tuple[Fold, ...]:
        """Folds that test each date once: those of the forecasts, whose ``fold`` is their number.

        They are the folds themselves, or one for each group of dates of a combinatorial plan.
        """
        return self.folds if self.paths is None else self.paths.by_date(self.folds)


@task(name="plan folds")
def plan_folds(split: SplitPlan, panel: Path, tuning: int = 0) -> Plan:
    """Cut the panel's dates into purged folds, the oldest for tuning, and audit every border."""
    content = load(panel)
    folds = split.folds(content.dates, content.label_end)
    audit = audit_plan(folds, content.label_end, split.embargo)
    scored = scored_folds(folds, tuning)
    paths = Paths.of(folds, split.paths) if isinstance(split, CombinatorialPurged) else None
    return Plan(scored, plan_hash(scored), audit, folds[:tuning], paths)
