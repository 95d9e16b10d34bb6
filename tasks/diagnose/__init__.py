"""Leak tests: does any step of a pipeline use information from the future?"""

from typing import TYPE_CHECKING

from foldproof.tasks.lazy import lazy_names

if TYPE_CHECKING:
    from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS, Diagnostic
    from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Verdict, Witness
    from foldproof.tasks.diagnose.forecaster import audit_forecaster
    from foldproof.tasks.diagnose.lookahead.features import audit_features
    from foldproof.tasks.diagnose.network.audit import audit_module
    from foldproof.tasks.diagnose.spec import FULL, QUICK, AuditOptions
else:
    __getattr__ = lazy_names(__name__, __file__)

__all__ = [
    "DIAGNOSTICS",
    "FULL",
    "QUICK",
    "AuditOptions",
    "Diagnostic",
    "Finding",
    "LeakReport",
    "Verdict",
    "Witness",
    "audit_features",
    "audit_forecaster",
    "audit_module",
]
