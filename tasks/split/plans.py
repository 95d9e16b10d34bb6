"""The kinds of plans that ``split.plan`` names."""

from collections.abc import Mapping
from types import MappingProxyType

from foldproof.tasks.split.combinatorial import CombinatorialPurged
from foldproof.tasks.split.cut import PlanError
from foldproof.tasks.split.walk_forward import WalkForward

SplitPlan = WalkForward | CombinatorialPurged
"""Settings of a plan."""
PLANS: Mapping[str, type[WalkForward] | type[CombinatorialPurged]] = MappingProxyType(
    {"walk_forward": WalkForward, "combinatorial": CombinatorialPurged}
)
"""By the value of ``split.plan``."""


def walk_forward_of(split: SplitPlan, step: str) -> WalkForward:
    """``split`` itself; PlanError if it is not a walk-forward plan, which ``step`` needs."""
    if not isinstance(split, WalkForward):
        raise PlanError(
            f"{step} needs split.plan walk_forward: with {split.plan} a model is trained on dates "
            "after its test blocks, which shows the spread of a result in a comparison and "
            "nothing else"
        )
    return split
