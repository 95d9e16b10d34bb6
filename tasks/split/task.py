"""The Prefect task of this step: cut and audit the plan of folds."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from prefect import task

from foldproof.tasks.data import load
from foldproof.tasks.split.audit import audit_plan
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.split.walk_forward import WalkForward, plan_hash, scored_folds


@dataclass(frozen=True, eq=False)
class Plan:
    """Folds, their hash, and the audit table of their borders.

    Attributes:
        folds: The scored folds, oldest first.
        hash: Their hash.
        audit: Borders of all folds.
        tuning: Older folds on which settings are chosen; they are not scored.
    """

    folds: tuple[Fold, ...]
    hash: str
    audit: pd.DataFrame
    tuning: tuple[Fold, ...] = ()


@task(name="plan folds")
def plan_folds(split: WalkForward, panel: Path, tuning: int = 0) -> Plan:
    """Cut the panel's dates into purged folds, the oldest for tuning, and audit every border."""
    content = load(panel)
    folds = split.folds(content.dates, content.label_end)
    audit = audit_plan(folds, content.label_end, split.embargo)
    scored = scored_folds(folds, tuning)
    return Plan(scored, plan_hash(scored), audit, folds[:tuning])
