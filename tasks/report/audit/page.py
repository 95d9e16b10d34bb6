"""The page of a leak audit: one HTML file for one or several reports."""

import re
from collections.abc import Sequence
from typing import Any

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.causes import Cause, causes_of
from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.sheet import READING, sheet_of, title_of
from foldproof.tasks.report.audit.matrices import short, size_text, stage_matrix, subject_matrix
from foldproof.tasks.report.audit.text import (
    AUDIT_QUESTIONS,
    ahead_text,
    audit_answers,
    grouped,
    not_run,
    overall_sentence,
    price_of,
    subject_name,
    undecided,
    verdict_sentence,
    witness_text,
)
from foldproof.tasks.report.audit.witness import witness_picture
from foldproof.tasks.report.template import Report, fill
from foldproof.tasks.report.text import plain
from foldproof.tasks.report.vector import embedded, vector

SUBJECTS = "subjects"
"""Key of the picture of all subjects."""


def audit_page(reports: Sequence[LeakReport], title: str) -> str:
    """One self-contained HTML page, the answers first. Text from data is escaped.

    Args:
        reports: One or more, of different subjects.
        title: Title of the page.

    Raises:
        ValueError: No report, or two reports of one subject.
    """
    return audit_report(reports, title).page


def audit_report(reports: Sequence[LeakReport], title: str) -> Report:
    """The page of :func:`audit_page` with its pictures.

    Pictures are keyed ``subjects`` (only for several reports) and ``<subject>/<picture>``.
    """
    subjects = [report.subject for report in reports]
    if not subjects or len(set(subjects)) < len(subjects):
        raise ValueError(
            f"a page needs at least one report, and each report another subject; got {subjects}"
        )
    pictures: dict[str, bytes] = {}
    slugs = slugs_of(subjects)
    if len(reports) > 1:
        pictures[SUBJECTS] = vector(subject_matrix(reports), SUBJECTS)
    page = fill(
        "audit.html",
        title=title,
        summary=overall_sentence(reports),
        subjects=pictures.get(SUBJECTS),
        embedded=embedded,
        sections=[section(*pair, pictures) for pair in zip(reports, slugs, strict=True)],
        questions=list(AUDIT_QUESTIONS),
        reading=READING,
        catalogue=DIAGNOSTICS,
        title_of=title_of,
        witness_text=witness_text,
        shown=shown,
        ahead_text=ahead_text,
        size_text=size_text,
        leak_rule=leak_rule,
        plain=plain,
    )
    return Report(page, pictures)


def slug(subject: str) -> str:
    """A subject as part of an address or a file name."""
    return re.sub(r"[^\w.-]+", "_", subject).lstrip(".") or "_"


def slugs_of(subjects: Sequence[str]) -> list[str]:
    """Different addresses for different subjects: a second ``a_b`` becomes ``a_b_2``."""
    found: list[str] = []
    for subject in subjects:
        own = slug(subject)
        tries = (f"{own}_{count}" for count in range(2, len(subjects) + 2))
        found.append(own if own not in found else next(one for one in tries if one not in found))
    return found


def gathered(
    report: LeakReport, verdict: Verdict, counts: bool = True
) -> list[tuple[Finding, int]]:
    """Findings of one verdict; those of the same test and stage are one entry, with their count."""
    found = (f for f in report.findings if f.verdict is verdict and f.counts is counts)
    return grouped(found, lambda f: (f.test, f.stage, f.statistic))


def gathered_causes(report: LeakReport) -> list[tuple[Cause, int]]:
    """Causes of leaks; those shown by one test at one stage are one entry, with their count."""
    causes = {id(cause.finding): cause for cause in causes_of(report)}
    found = grouped((c.finding for c in causes.values()), lambda f: (f.test, f.stage, f.statistic))
    return [(causes[id(finding)], count) for finding, count in found]


def shown(finding: Finding) -> str:
    """The value that changes, or what was found if it names none."""
    witness = finding.witness
    named = witness is not None and witness.before == witness.before
    return witness_text(finding) if named else plain(finding.detail)


def section(report: LeakReport, own: str, pictures: dict[str, bytes]) -> dict[str, Any]:
    """The part of the page about one report; ``pictures`` gets its pictures under ``own``."""
    key = f"{own}/stages"
    stages = pictures[key] = vector(stage_matrix(report), key)
    leaks = []
    for place, (cause, count) in enumerate(gathered_causes(report), start=1):
        finding = cause.finding
        figure = witness_picture(finding)
        key = f"{own}/leak_{place}_{finding.test}_{slug(finding.stage)}"
        if figure:
            pictures[key] = vector(figure, key)
        leaks.append((cause, count, pictures.get(key)))
    return {
        "subject": subject_name(report.subject),
        "anchor": own,
        "verdict": str(report.verdict),
        "sentence": verdict_sentence(report),
        "answers": audit_answers(report),
        "about": report.about,
        "stages": stages,
        "leaks": leaks,
        "price": price_of(report),
        "clean": gathered(report, Verdict.CLEAN),
        "unknown": [(finding, 1) for finding in undecided(report)],
        "informs": [
            *gathered(report, Verdict.LEAK, False),
            *gathered(report, Verdict.CLEAN, False),
        ],
        "sheet": sheet_of(report).answers,
        "ran": list(dict.fromkeys(f.test for f in report.findings if f.test in DIAGNOSTICS)),
        "not_run": not_run(report),
    }


def leak_rule(finding: Finding) -> str:
    """When a finding of this test is a leak."""
    test = DIAGNOSTICS.get(finding.test)
    if test is not None and test.kind == "statistical":
        return f"if p, adjusted for all tests, is below {short(finding.threshold)}"
    return f"above {short(finding.threshold)}"
