"""The verdict on several variants, of which some leak on purpose."""

import pytest

from foldproof.tasks.diagnose import LeakReport, Verdict
from foldproof.tasks.diagnose.findings.joint_verdict import joint_verdict
from tests.tasks.diagnose.findings.test_finding import finding


def report(subject: str, verdict: Verdict) -> LeakReport:
    return LeakReport(subject, (finding(verdict=verdict),))


@pytest.mark.parametrize(
    ("honest", "control", "whole"),
    [
        ("CLEAN", "LEAK", "CLEAN"),
        ("LEAK", "LEAK", "LEAK"),
        ("UNKNOWN", "LEAK", "UNKNOWN"),
        ("CLEAN", "CLEAN", "UNKNOWN"),  # an audit that misses a planted leak proves nothing
        ("LEAK", "CLEAN", "UNKNOWN"),
        ("CLEAN", None, "CLEAN"),
        (None, "LEAK", "LEAK"),
    ],
)
def test_the_joint_verdict(honest: str | None, control: str | None, whole: str) -> None:
    pairs = (("none", honest), ("full_sample_zscore", control))
    reports = tuple(report(name, Verdict(one)) for name, one in pairs if one is not None)
    assert joint_verdict(reports) == whole
