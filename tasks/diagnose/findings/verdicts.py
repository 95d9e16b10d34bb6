"""Builders of findings, and the correction for many tests over all findings of an audit.

Every builder takes the key of a test and reads its statistic and threshold from the catalogue.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS, LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.statistics.holm import holm


def finding_of(
    test: str, stage: str, verdict: Verdict, evidence: str, value: float, tested: str, **other: Any
) -> Finding:
    """A finding with the statistic and threshold of the catalogue unless ``other`` has them."""
    entry = DIAGNOSTICS[test]
    given: dict[str, Any] = {"statistic": entry.statistic, "threshold": entry.threshold} | other
    return Finding(test, stage, verdict, evidence, value=value, tested=tested, **given)


def exact_finding(
    test: str,
    stage: str,
    value: float,
    tested: str,
    *,
    leak: str,
    clean: str,
    witness: Witness | None = None,
    reason: str = "",
    threshold: float | None = None,
    statistic: str | None = None,
    counts: bool = True,
    ahead: int | None = None,
) -> Finding:
    """The finding of an exact test.

    LEAK if ``value`` exceeds the threshold, else UNKNOWN if a ``reason`` is given, else CLEAN.

    Args:
        test: Key of the test in the catalogue.
        stage: Where in the pipeline; begins with one of ``STAGES``.
        value: The measured value.
        tested: What was tried: cuts, perturbations, samples.
        leak: Detail of a LEAK, one sentence.
        clean: Detail of a CLEAN result.
        witness: Where the leak shows; dropped unless the verdict is LEAK.
        reason: Why a value within the threshold proves nothing; empty if it proves CLEAN.
        threshold: Replaces the catalogue's, for instance by a rounding limit.
        statistic: Replaces the catalogue's.
        counts: False for a finding that informs only.
        ahead: Trading days that the result looks ahead; dropped unless the verdict is LEAK.
    """
    limit = DIAGNOSTICS[test].threshold if threshold is None else threshold
    leaks = value > limit
    verdict = Verdict.LEAK if leaks else Verdict.UNKNOWN if reason else Verdict.CLEAN
    evidence = reason if verdict is Verdict.UNKNOWN else "exact"
    other: dict[str, Any] = {"statistic": statistic} if statistic else {}
    other |= {"witness": witness, "ahead": ahead} if leaks else {}
    other |= {"threshold": limit, "detail": leak if leaks else reason or clean, "counts": counts}
    return finding_of(test, stage, verdict, evidence, value, tested, **other)


def statistical_finding(
    test: str, stage: str, value: float, p: float, level: float, tested: str, detail: str
) -> Finding:
    """The finding of a statistical test: LEAK if ``p`` is at most ``level``, UNKNOWN if NaN."""
    if np.isnan(p):
        return unknown_finding(test, stage, detail, tested, value=value)
    verdict = Verdict.LEAK if p <= level else Verdict.CLEAN
    evidence = f"statistical, p = {p:.2g}, level {level:g}"
    return finding_of(
        test, stage, verdict, evidence, value, tested, threshold=level, detail=detail, p_value=p
    )


def unknown_finding(
    test: str,
    stage: str,
    reason: str,
    tested: str,
    *,
    value: float = float("nan"),
    counts: bool = True,
) -> Finding:
    """An UNKNOWN finding: the test could not decide, for this ``reason``."""
    return finding_of(
        test, stage, Verdict.UNKNOWN, reason, value, tested, detail=reason, counts=counts
    )


def informational_finding(
    test: str, stage: str, value: float, symptom: bool, tested: str, detail: str
) -> Finding:
    """The finding of a test that only informs. A symptom may have honest causes: UNKNOWN."""
    verdict = Verdict.UNKNOWN if symptom else Verdict.CLEAN
    evidence = "a symptom, which may have honest causes" if symptom else "no symptom"
    return finding_of(test, stage, verdict, evidence, value, tested, detail=detail, counts=False)


def jointly(findings: Iterable[Finding], level: float = LEVEL) -> tuple[Finding, ...]:
    """Adjust the p-values of ``findings`` by Holm's step-down method.

    The probability of any false alarm is then at most ``level``. A LEAK whose adjusted p-value
    exceeds ``level`` becomes CLEAN; no finding becomes a LEAK.

    Args:
        findings: All findings of an audit; those without a p-value, or that do not count, stay.
        level: Probability of one or more false alarms.
    """
    out = list(findings)
    own = [i for i, f in enumerate(out) if f.counts and f.p_value is not None]
    adjusted = holm(np.array([out[i].p_value for i in own], dtype=float))
    for i, p in zip(own, adjusted.tolist(), strict=True):
        out[i] = adjusted_finding(out[i], p, len(own), level)
    return tuple(out)


def adjusted_finding(finding: Finding, adjusted: float, tests: int, level: float) -> Finding:
    """``finding`` with its adjusted p-value, and CLEAN if that exceeds the level."""
    note = (
        f"statistical, p = {finding.p_value:.2g}, {adjusted:.2g} adjusted for {tests} tests (Holm),"
        f" level {level:g}"
    )
    overruled = finding.verdict is Verdict.LEAK and adjusted > level
    verdict = Verdict.CLEAN if overruled else finding.verdict
    return replace(finding, verdict=verdict, evidence=note)
