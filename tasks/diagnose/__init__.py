"""Leak tests: does anything see the future?"""

from tasks.diagnose.catalogue import DIAGNOSTICS, Diagnostic
from tasks.diagnose.features import audit_features
from tasks.diagnose.finding import Finding, LeakReport, Verdict, Witness
from tasks.diagnose.forecaster import audit_forecaster
from tasks.diagnose.module import audit_module

__all__ = [
    "DIAGNOSTICS",
    "Diagnostic",
    "Finding",
    "LeakReport",
    "Verdict",
    "Witness",
    "audit_features",
    "audit_forecaster",
    "audit_module",
]
