"""What a leak test answers, and the report that gathers the answers."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

import pandas as pd


class Verdict(StrEnum):
    """LEAK: the future moved a forecast. CLEAN: not in what was tested. UNKNOWN: cannot tell."""

    LEAK = "LEAK"
    UNKNOWN = "UNKNOWN"
    CLEAN = "CLEAN"


@dataclass(frozen=True)
class Witness:
    """The one place where a leak shows most: change what is dated after ``cut``, see it move."""

    cut: str = ""
    date: str = ""
    symbol: str = ""
    column: str = ""
    before: float = float("nan")
    after: float = float("nan")

    def __str__(self) -> str:
        where = [self.date, self.symbol, self.column]
        text = " ".join(part for part in where if part)
        if self.before == self.before or self.after == self.after:
            text += f": {self.before:.6g} becomes {self.after:.6g}"
        return f"{text} when rows after {self.cut} change" if self.cut else text


@dataclass(frozen=True)
class Finding:
    """One test's answer on one subject.

    Attributes:
        test: Key of ``tasks.diagnose.DIAGNOSTICS``.
        stage: Where in the pipeline: folds, features, input, window, network, training, scoring.
        verdict: LEAK, CLEAN (within ``tested``) or UNKNOWN.
        evidence: exact, statistical, or why it is unknown.
        statistic: What was measured, with its unit.
        value: Its value.
        threshold: LEAK above this value.
        tested: What was tried: cuts, perturbations, samples.
        witness: Where it shows; None when clean.
        detail: One sentence for a reader.
        counts: False for a finding that informs only, such as coupling in training batches.
    """

    test: str
    stage: str
    verdict: Verdict
    evidence: str
    statistic: str
    value: float
    threshold: float
    tested: str
    witness: Witness | None = None
    detail: str = ""
    counts: bool = True


def overall(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict that counts; UNKNOWN when nothing was tested: never clean by default."""
    verdicts = {finding.verdict for finding in findings if finding.counts}
    for verdict in (Verdict.LEAK, Verdict.UNKNOWN, Verdict.CLEAN):
        if verdict in verdicts:
            return verdict
    return Verdict.UNKNOWN


@dataclass(frozen=True)
class LeakReport:
    """The findings on one subject."""

    subject: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict that counts."""
        return overall(self.findings)

    def to_frame(self) -> pd.DataFrame:
        """One row a finding; the witness as a sentence."""
        rows = [
            asdict(finding) | {"witness": str(finding.witness or "")} for finding in self.findings
        ]
        return pd.DataFrame(rows)

    def to_markdown(self) -> str:
        """The verdict, then one line a finding."""
        head = f"**{self.subject}: {self.verdict}**\n\n"
        lines = [
            "| test | stage | verdict | statistic | value | threshold | witness |",
            "|---|---|---|---|---|---|---|",
        ]
        for f in self.findings:
            verdict = f.verdict if f.counts else f"{f.verdict} (informs only)"
            cells = [f.test, f.stage, verdict, f.statistic, f"{f.value:.3g}", f"{f.threshold:.3g}"]
            lines.append(f"| {' | '.join(cells)} | {f.witness or f.detail} |")
        return head + "\n".join(lines) + "\n"
