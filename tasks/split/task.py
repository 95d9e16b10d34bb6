"""The Prefect task of this step: cut and audit the plan of folds."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from prefect import task

from foldproof.tasks.data import load
from foldproof.tasks.split.audit import audit_plan
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.split.walk_forward import WalkForward, plan_hash


@dataclass(frozen=True, eq=False)
class Plan:
    """Folds, their hash, and the audit table of their borders."""

    folds: tuple[Fold, ...]
    hash: str
    audit: pd.DataFrame


@task(name="plan folds")
def plan_folds(split: WalkForward, panel: Path) -> Plan:
    """Cut the panel's dates into purged folds and audit every border."""
    content = load(panel)
    folds = split.folds(content.dates, content.label_end)
    return Plan(folds, plan_hash(folds), audit_plan(folds, content.label_end, split.embargo))
