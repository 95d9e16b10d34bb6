"""Whether an attribution is to be believed: checks with a null or a pass mark."""

from foldproof.tasks.attribute.trust.catalogue import TRUST, Check, CheckEntry
from foldproof.tasks.attribute.trust.checks import completeness, trust_unit
from foldproof.tasks.attribute.trust.faithfulness import Removal, faithfulness
from foldproof.tasks.attribute.trust.noise_columns import believed, canaries, with_canaries
from foldproof.tasks.attribute.trust.random_weights import label_randomization, model_randomization
from foldproof.tasks.attribute.trust.retraining import with_permuted_target
from foldproof.tasks.attribute.trust.sensitivity import (
    infidelity,
    infidelity_check,
    max_sensitivity,
    sensitivity_check,
)
from foldproof.tasks.attribute.trust.spec import TrustSpec
from foldproof.tasks.attribute.trust.stability import agreement, stabilities, stability

__all__ = [
    "TRUST",
    "Check",
    "CheckEntry",
    "Removal",
    "TrustSpec",
    "agreement",
    "believed",
    "canaries",
    "completeness",
    "faithfulness",
    "infidelity",
    "infidelity_check",
    "label_randomization",
    "max_sensitivity",
    "model_randomization",
    "sensitivity_check",
    "stabilities",
    "stability",
    "trust_unit",
    "with_canaries",
    "with_permuted_target",
]
