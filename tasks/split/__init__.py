"""Plans: walk-forward and combinatorial, purged, hashed and audited."""

from foldproof.tasks.split.audit import audit_plan
from foldproof.tasks.split.combinatorial import CombinatorialPurged
from foldproof.tasks.split.cut import PlanError
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.split.plans import PLANS, SplitPlan, walk_forward_of
from foldproof.tasks.split.walk_forward import WalkForward, plan_hash, scored_folds

__all__ = [
    "PLANS",
    "CombinatorialPurged",
    "Fold",
    "PlanError",
    "SplitPlan",
    "WalkForward",
    "audit_plan",
    "plan_hash",
    "scored_folds",
    "walk_forward_of",
]
