"""A model information sheet filled in from an audit: one answer for each of eight leakage types.

The types and their headings are those of Kapoor & Narayanan 2023 (Patterns 4(9), 100804), who ask
authors to argue, type by type, why their result does not leak. Here the leak tests answer where
they can; a person must answer the rest. The questions are in our own words and for dated
panels; the paper's own sheet also asks about the scientific claim.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS, STAGES
from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.leakage_types import LEAKAGE_TYPES, LeakageType
from foldproof.tasks.markdown import escaped


@dataclass(frozen=True)
class SheetAnswer:
    """What the tests of a report say about one type of leakage.

    Attributes:
        kind: The type.
        verdict: LEAK, CLEAN within ``evidence``, or UNKNOWN; UNKNOWN if a required test is missing.
        reason: Why, in a sentence.
        evidence: The findings on this type, including those that inform only.
    """

    kind: LeakageType
    verdict: Verdict
    reason: str
    evidence: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class InfoSheet:
    """The answers on one subject, one for each of ``LEAKAGE_TYPES``, in the same order."""

    subject: str
    answers: Mapping[str, SheetAnswer]

    def to_markdown(self) -> str:
        """The sheet as Markdown, for a paper's appendix or a tracker."""
        head = f"# Model information sheet: {escaped(self.subject)}\n\n{READING}\n"
        parts = [
            f"\n## {key} {one.kind.title}\n\n*{one.kind.group}.* {one.kind.question}\n\n"
            f"**{one.verdict}.** {escaped(one.reason)}\n\n"
            f"- Evidence: {escaped(evidence_text(one.evidence)) or 'none'}\n"
            f"- For a person: {one.kind.person}\n"
            for key, one in self.answers.items()
        ]
        return head + "".join(parts)


READING = (
    "Types of leakage after Kapoor & Narayanan 2023 (Patterns 4(9), 100804), answered by tests. "
    "CLEAN holds within what was tested; UNKNOWN does not mean clean."
)
"""How to read a sheet."""


def sheet_of(report: LeakReport) -> InfoSheet:
    """The sheet of a report; it depends on the findings only."""
    answers = {key: answer_for(kind, report.findings) for key, kind in LEAKAGE_TYPES.items()}
    return InfoSheet(report.subject, MappingProxyType(answers))


def answer_for(kind: LeakageType, findings: Iterable[Finding]) -> SheetAnswer:
    """LEAK if any test of the type finds one; CLEAN only if every required test is CLEAN."""
    found = list(findings)
    evidence = tuple(f for f in found if kind.covers(f.test, stage_of(f.stage), f.verdict))
    leaks = [f for f in evidence if f.counts and f.verdict is Verdict.LEAK]
    if leaks:
        return SheetAnswer(kind, Verdict.LEAK, reasons(leaks), evidence)
    obstacles = [why for test in kind.required if (why := why_not_clean(test, found))]
    undecided = [f for f in evidence if f.counts and f.verdict is Verdict.UNKNOWN]
    if obstacles or undecided:
        why = joined([*obstacles, *map(undecided_text, undecided)])
        return SheetAnswer(kind, Verdict.UNKNOWN, why, evidence)
    clean = [f for f in evidence if f.counts and f.verdict is Verdict.CLEAN]
    return SheetAnswer(kind, Verdict.CLEAN, reasons(clean), evidence)


def why_not_clean(test: str, findings: list[Finding]) -> str:
    """Why ``test`` does not show that a type is clean; empty if all its findings are CLEAN.

    A leak at one stage hides leaks at later stages, because a changed input changes everything
    computed from it.
    """
    own = [f for f in findings if f.test == test]
    for finding in own:
        if finding.verdict is Verdict.UNKNOWN:
            return undecided_text(finding)
    for finding in own:
        if finding.verdict is Verdict.LEAK and finding.counts:
            return f"{title_of(test)} finds a leak at {finding.stage}, which hides any other"
    if not any(f.verdict is Verdict.CLEAN and f.counts for f in own):
        return f"{title_of(test)} was not run"
    return ""


def stage_of(stage: str) -> str:
    """The entry of ``STAGES`` that a finding's stage begins with, or the stage itself."""
    matches = [name for name in STAGES if stage == name or stage.startswith(f"{name} ")]
    return max(matches, key=len, default=stage)


def stages_of(findings: Iterable[Finding]) -> list[str]:
    """Stages of the findings in the order of ``STAGES``, then any others."""
    named = dict.fromkeys(stage_of(finding.stage) for finding in findings)
    return [s for s in STAGES if s in named] + [s for s in named if s not in STAGES]


def title_of(test: str) -> str:
    """A test's title in the catalogue."""
    return DIAGNOSTICS[test].title if test in DIAGNOSTICS else test.replace("_", " ").capitalize()


def undecided_text(finding: Finding) -> str:
    """Why a test is undecided."""
    return f"{title_of(finding.test)} could not decide: {finding.evidence or finding.detail}"


def reasons(findings: Iterable[Finding]) -> str:
    """What the tests found or tried, one clause per test and stage."""
    return joined(
        f"{title_of(f.test)} ({f.stage}): "
        + str(f.witness or f.detail if f.verdict is Verdict.LEAK else f"tested on {f.tested}")
        for f in findings
    )


def joined(clauses: Iterable[str]) -> str:
    """Distinct clauses as one sentence."""
    return "; ".join(dict.fromkeys(clause.rstrip(".") for clause in clauses)) + "."


def evidence_text(findings: Iterable[Finding]) -> str:
    """Tests with stage and verdict."""
    return ", ".join(
        dict.fromkeys(
            f"{title_of(f.test)} at {f.stage}: {f.verdict if f.counts else 'informs only'}"
            for f in findings
        )
    )
