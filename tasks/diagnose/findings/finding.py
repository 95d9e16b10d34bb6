"""What a leak test answers, and the report that gathers the answers."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

import pandas as pd


class Verdict(StrEnum):
    """LEAK: the future moved a forecast. CLEAN: not in what was tested. UNKNOWN: cannot tell."""

    LEAK = "LEAK"
    UNKNOWN = "UNKNOWN"
    CLEAN = "CLEAN"


class Size(StrEnum):
    """How far a result moved: not at all, in its last bits, by rounding, or for real."""

    IDENTICAL = "identical"
    BITS = "bit-different"
    ROUNDING = "rounding only"
    MATERIAL = "material"


LAST_BITS = 1e-13
"""Moves up to this many sd are the last bits of float64 results."""


@dataclass(frozen=True)
class Inflation:
    """What a leak is worth: the rank IC that it reports beyond an honest day-by-day replay.

    Attributes:
        reported: Mean daily rank IC of the forecasts as they were made.
        honest: The same dates replayed, each with nothing dated later in reach.
        low: Lower end of the interval of the difference; NaN where dates are too few for one.
        high: Upper end.
        dates: Dates that were replayed.
        abstained: Dates for which the replay has no forecast; they count as rank IC 0.
        level: Of the interval.
    """

    reported: float
    honest: float
    low: float
    high: float
    dates: int
    abstained: int = 0
    level: float = 0.95

    @property
    def value(self) -> float:
        """Reported less honest."""
        return self.reported - self.honest

    @property
    def told(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low)

    def __str__(self) -> str:
        interval = f" [{self.low:+.3f}, {self.high:+.3f}]" if self.told else ", too few to judge it"
        text = (
            f"rank IC {self.reported:+.3f} as reported, {self.honest:+.3f} in an honest replay of "
            f"{self.dates} dates: inflated by {self.value:+.3f}{interval}"
        )
        return text + (
            f"; {self.abstained} dates cannot be forecast honestly" if self.abstained else ""
        )


@dataclass(frozen=True)
class Glimpse:
    """A series around a cut, as it is and as it comes out when what is after the cut changes.

    Attributes:
        dates: n dates, as 2020-01-31.
        before: n values of the run on the data, NaN where missing.
        after: n values of the run on changed data.
    """

    dates: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]


@dataclass(frozen=True)
class Witness:
    """The one place where a leak shows most: change what is dated after ``cut``, see it move."""

    cut: str = ""
    date: str = ""
    symbol: str = ""
    column: str = ""
    before: float = float("nan")
    after: float = float("nan")
    glimpse: Glimpse | None = field(default=None, compare=False)

    def __str__(self) -> str:
        where = [self.date, self.symbol, self.column]
        text = " ".join(part for part in where if part)
        if self.before == self.before or self.after == self.after:
            text += f": {self.before:.6g} becomes {self.after:.6g}"
        return f"{text} when what is not known on {self.cut} changes" if self.cut else text


@dataclass(frozen=True)
class Finding:
    """One test's answer on one subject.

    Attributes:
        test: Key of ``foldproof.tasks.diagnose.DIAGNOSTICS``.
        stage: Where in the pipeline; begins with one of ``STAGES`` in findings/catalogue.py.
        verdict: LEAK, CLEAN (within ``tested``) or UNKNOWN.
        evidence: exact, statistical (with p and level), or why it is unknown.
        statistic: What was measured, with its unit.
        value: Its value.
        threshold: LEAK above this value.
        tested: What was tried: cuts, perturbations, samples.
        witness: Where it shows; None when clean.
        detail: One sentence for a reader.
        counts: False for a finding that informs only, such as coupling in training batches.
        ahead: Trading days that the result looks ahead, at least; None where that has no meaning.
        p_value: Of a statistical test, before the adjustment for the other tests.
        inflation: What the leak is worth, or None.
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
    ahead: int | None = None
    p_value: float | None = None
    inflation: Inflation | None = None

    @property
    def size(self) -> Size | None:
        """How far it moved, for a finding in standard deviations; else None."""
        if "sd" not in self.statistic or self.value != self.value:
            return None
        if self.value == 0:
            return Size.IDENTICAL
        if self.value > self.threshold:
            return Size.MATERIAL
        return Size.BITS if self.value <= LAST_BITS else Size.ROUNDING


def overall(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict that counts; UNKNOWN when nothing was tested: never clean by default."""
    verdicts = {finding.verdict for finding in findings if finding.counts}
    for verdict in (Verdict.LEAK, Verdict.UNKNOWN, Verdict.CLEAN):
        if verdict in verdicts:
            return verdict
    return Verdict.UNKNOWN


def finite(value: object) -> object:
    """``value`` with numbers that JSON cannot hold as texts or null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if isinstance(value, dict):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value


@dataclass(frozen=True)
class LeakReport:
    """The findings on one subject.

    Attributes:
        subject: What was audited.
        findings: One a test and stage, those that inform only included.
        about: What a reader needs to know of it: data, fold, what was told and what was not.
    """

    subject: str
    findings: tuple[Finding, ...]
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict that counts."""
        return overall(self.findings)

    def to_frame(self) -> pd.DataFrame:
        """One row a finding; the witness as a sentence."""
        texts = ("witness", "inflation")
        rows = [
            asdict(finding)
            | {name: str(getattr(finding, name) or "") for name in texts}
            | {"size": str(finding.size or "")}
            for finding in self.findings
        ]
        return pd.DataFrame(rows)

    def to_json(self) -> str:
        """Verdict and findings for other tools; numbers that are none are null."""
        content = {
            "subject": self.subject,
            "verdict": self.verdict,
            "about": dict(self.about),
            "findings": [asdict(f) | {"size": f.size} for f in self.findings],
        }
        return json.dumps(finite(content), indent=2, default=str, allow_nan=False)

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
