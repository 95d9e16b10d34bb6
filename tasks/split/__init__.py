"""Plans of walk-forward folds: cut, purged, hashed and audited."""

from tasks.split.audit import audit_plan
from tasks.split.cut import PlanError
from tasks.split.fold import Fold
from tasks.split.walk_forward import WalkForward, plan_hash

__all__ = ["Fold", "PlanError", "WalkForward", "audit_plan", "plan_hash"]
