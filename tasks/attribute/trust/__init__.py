"""Whether an attribution is to be believed: checks with a null or a pass mark."""

from tasks.attribute.trust.canaries import believed, canaries, with_canaries
from tasks.attribute.trust.catalogue import TRUST, Trial
from tasks.attribute.trust.check import Check
from tasks.attribute.trust.complete import completeness
from tasks.attribute.trust.faithful import faithfulness
from tasks.attribute.trust.labels import with_permuted_target
from tasks.attribute.trust.perturbed import infidelity, max_sensitivity
from tasks.attribute.trust.randomized import label_randomization, model_randomization
from tasks.attribute.trust.removal import Removal
from tasks.attribute.trust.responsive import infidelity_check, sensitivity_check
from tasks.attribute.trust.spec import TrustSpec
from tasks.attribute.trust.stability import agreement, stabilities, stability
from tasks.attribute.trust.unit import trust_unit

__all__ = [
    "TRUST",
    "Check",
    "Removal",
    "Trial",
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
