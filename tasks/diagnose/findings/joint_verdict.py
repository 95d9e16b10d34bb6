"""One verdict for an audit of several variants."""

from collections.abc import Sequence

from foldproof.models.normalizers import resolve
from foldproof.tasks.diagnose.findings.finding import LeakReport, Verdict, overall


def joint_verdict(reports: Sequence[LeakReport]) -> Verdict:
    """The worst verdict of the honest variants, or of the controls where there are no others.

    UNKNOWN where the audit misses a control: an audit that misses a planted leak proves nothing.
    """
    controls = [one for one in reports if resolve(one.subject).control]
    if any(one.verdict is not Verdict.LEAK for one in controls):
        return Verdict.UNKNOWN
    honest = [one for one in reports if one not in controls]
    return overall(finding for one in honest or controls for finding in one.findings)
