"""The result of a leak test, and the report that collects the results."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

import pandas as pd

from foldproof.tasks.markdown import escaped, markdown_table


class Verdict(StrEnum):
    """LEAK: a forecast depends on the future. CLEAN: none found in the test. UNKNOWN: undecided."""

    LEAK = "LEAK"
    UNKNOWN = "UNKNOWN"
    CLEAN = "CLEAN"


class Size(StrEnum):
    """Size of a change: none, in the last bits, within rounding, or beyond rounding."""

    IDENTICAL = "identical"
    BITS = "bit-different"
    ROUNDING = "rounding only"
    MATERIAL = "material"


LAST_BITS = 1e-13
"""Changes up to this many sd are in the last bits of float64 results."""


@dataclass(frozen=True)
class Inflation:
    """The rank IC that a leak adds, measured against an honest day-by-day replay.

    Attributes:
        reported: Mean daily rank IC of the original forecasts.
        honest: The same for a replay in which each date uses only what was known on it.
        low: Lower end of the interval of the difference; NaN where there are too few dates.
        high: Upper end.
        dates: Number of dates in the replay.
        abstained: Dates without an honest forecast; their rank IC counts as 0.
        level: Confidence level of the interval.
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
        """Reported minus honest."""
        return self.reported - self.honest

    @property
    def measured(self) -> bool:
        """Whether any date has an honest forecast; without one there is nothing to compare with."""
        return self.abstained < self.dates

    @property
    def has_interval(self) -> bool:
        """Whether there are enough dates for an interval."""
        return math.isfinite(self.low)

    def __str__(self) -> str:
        if not self.measured:
            return f"rank IC not measurable: no honest forecast on any of {self.dates} dates"
        interval = (
            f" [{self.low:+.3f}, {self.high:+.3f}]"
            if self.has_interval
            else ", too few dates for an interval"
        )
        text = (
            f"rank IC {self.reported:+.3f} as reported, {self.honest:+.3f} in an honest replay of "
            f"{self.dates} dates: inflated by {self.value:+.3f}{interval}"
        )
        return text + (
            f"; {self.abstained} dates cannot be forecast honestly" if self.abstained else ""
        )


@dataclass(frozen=True)
class Excerpt:
    """A series around a cut, before and after the rows behind the cut change.

    Attributes:
        dates: n dates, as 2020-01-31.
        before: n values on the original data, NaN where missing.
        after: n values on the changed data.
    """

    dates: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]


@dataclass(frozen=True)
class Witness:
    """The place where a leak shows most: the value changes when rows after ``cut`` change."""

    cut: str = ""
    date: str = ""
    symbol: str = ""
    column: str = ""
    before: float = float("nan")
    after: float = float("nan")
    excerpt: Excerpt | None = field(default=None, compare=False)

    def __str__(self) -> str:
        where = [self.date, self.symbol, self.column]
        text = " ".join(part for part in where if part)
        if self.before == self.before or self.after == self.after:
            text += f": {self.before:.6g} becomes {self.after:.6g}"
        return f"{text} when data not yet known on {self.cut} change" if self.cut else text


@dataclass(frozen=True)
class Finding:
    """The result of one test on one subject.

    Attributes:
        test: Key of ``foldproof.tasks.diagnose.DIAGNOSTICS``.
        stage: Where in the pipeline; begins with one of ``STAGES`` in findings/catalogue.py.
        verdict: LEAK, CLEAN (within ``tested``) or UNKNOWN.
        evidence: exact, statistical (with p and level), or the reason for UNKNOWN.
        statistic: What was measured, with its unit.
        value: The measured value.
        threshold: LEAK above this value.
        tested: What was tried: cuts, perturbations, samples.
        witness: Where the leak shows; None when clean.
        detail: One sentence for a reader.
        counts: False for a finding that informs only, such as coupling in training batches.
        ahead: Trading days that the result looks ahead, at least; None where that has no meaning.
        p_value: Of a statistical test, before the adjustment for the other tests.
        inflation: Rank IC that the leak adds, or None.
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
        """Size of the change, for a statistic in standard deviations; else None."""
        if "sd" not in self.statistic or self.value != self.value:
            return None
        if self.value == 0:
            return Size.IDENTICAL
        if self.value > self.threshold:
            return Size.MATERIAL
        return Size.BITS if self.value <= LAST_BITS else Size.ROUNDING


def overall(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict among findings that count; UNKNOWN if there is none."""
    verdicts = {finding.verdict for finding in findings if finding.counts}
    for verdict in (Verdict.LEAK, Verdict.UNKNOWN, Verdict.CLEAN):
        if verdict in verdicts:
            return verdict
    return Verdict.UNKNOWN


def for_json(value: object) -> object:
    """``value`` with NaN as null and infinity as text, because JSON has neither."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if isinstance(value, dict):
        return {str(key): for_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [for_json(one) for one in value]
    return value


@dataclass(frozen=True)
class LeakReport:
    """The findings on one subject.

    Attributes:
        subject: What was audited.
        findings: One per test and stage, including those that inform only.
        about: Facts for the reader: data, fold, and which inputs were given.
    """

    subject: str
    findings: tuple[Finding, ...]
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict among findings that count."""
        return overall(self.findings)

    def to_frame(self) -> pd.DataFrame:
        """One row per finding; the witness as a sentence."""
        texts = ("witness", "inflation")
        rows = [
            asdict(finding)
            | {name: str(getattr(finding, name) or "") for name in texts}
            | {"size": str(finding.size or "")}
            for finding in self.findings
        ]
        return pd.DataFrame(rows)

    def to_json(self) -> str:
        """Subject, verdict and findings as JSON; NaN is null."""
        content = {
            "subject": self.subject,
            "verdict": self.verdict,
            "about": dict(self.about),
            "findings": [asdict(f) | {"size": f.size} for f in self.findings],
        }
        return json.dumps(for_json(content), indent=2, default=str, allow_nan=False)

    def to_markdown(self) -> str:
        """The verdict, then a table with one row per finding."""
        rows = []
        for f in self.findings:
            verdict = f.verdict if f.counts else f"{f.verdict} (informs only)"
            sizes = f"{f.value:.3g}", f"{f.threshold:.3g}"
            rows.append((f.test, f.stage, verdict, f.statistic, *sizes, str(f.witness or f.detail)))
        head = ("test", "stage", "verdict", "statistic", "value", "threshold", "witness")
        return f"**{escaped(self.subject)}: {self.verdict}**\n\n{markdown_table(head, rows)}"
