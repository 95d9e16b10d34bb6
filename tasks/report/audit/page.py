"""The page of a leak audit: one HTML file for one or several reports."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Inflation, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.sheet import READING, InfoSheet, sheet_of, title_of
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
from foldproof.tasks.report.style import render
from foldproof.tasks.report.template import Report, embedded, fill
from foldproof.tasks.report.text import plain

SUBJECTS = "subjects"
"""Key of the picture of all subjects."""


def audit_page(
    reports: Sequence[LeakReport], title: str, sheets: Sequence[InfoSheet] | None = None
) -> str:
    """One self-contained HTML page, the answers first. Text from data is escaped.

    Args:
        reports: One or more, of different subjects.
        title: Title of the page.
        sheets: One information sheet per report, in the same order; by default derived from them.

    Raises:
        ValueError: No report, two reports of one subject, or sheets of other subjects.
    """
    return audit_report(reports, title, sheets).page


def audit_report(
    reports: Sequence[LeakReport], title: str, sheets: Sequence[InfoSheet] | None = None
) -> Report:
    """The page of :func:`audit_page` with its pictures.

    Pictures are keyed ``subjects`` (only for several reports) and ``<subject>/<picture>``.
    """
    filled = list(sheets) if sheets is not None else [sheet_of(report) for report in reports]
    check_subjects(reports, filled)
    pictures = pictures_of(reports)
    page = fill(
        "audit.html",
        title=title,
        summary=overall_sentence(reports),
        several=len(reports) > 1,
        subjects=image(pictures, SUBJECTS, "Every test on every subject"),
        sections=[section(*pair, pictures) for pair in zip(reports, filled, strict=True)],
        questions=list(AUDIT_QUESTIONS),
        reading=READING,
    )
    return Report(page, pictures)


def check_subjects(reports: Sequence[LeakReport], sheets: Sequence[InfoSheet]) -> None:
    """Raise unless there are reports of different subjects, and a sheet for each."""
    subjects = [report.subject for report in reports]
    if not subjects or len(set(subjects)) < len(subjects):
        raise ValueError(
            f"a page needs at least one report, and each report another subject; got {subjects}"
        )
    if [sheet.subject for sheet in sheets] != subjects:
        raise ValueError(
            f"sheets are for {[sheet.subject for sheet in sheets]}, reports for {subjects}: give one "
            "sheet per report, in the same order"
        )


def pictures_of(reports: Sequence[LeakReport]) -> dict[str, bytes]:
    """Every figure as PNG by its key."""
    found = {SUBJECTS: render(subject_matrix(reports))} if len(reports) > 1 else {}
    for report in reports:
        found[f"{slug(report.subject)}/stages"] = render(stage_matrix(report))
        for place, (finding, _) in enumerate(gathered(report, Verdict.LEAK)):
            figure = witness_picture(finding)
            if figure is not None:
                found[witness_key(report, place, finding)] = render(figure)
    return found


def slug(subject: str) -> str:
    """A subject as part of an address or a file name."""
    return re.sub(r"[^\w.-]+", "_", subject)


def witness_key(report: LeakReport, place: int, finding: Finding) -> str:
    """Key of the picture of a report's leak; leaks are numbered from 1."""
    return f"{slug(report.subject)}/leak_{place + 1}_{finding.test}_{slug(finding.stage)}"


def image(pictures: Mapping[str, bytes], key: str, title: str) -> Markup | None:
    """The picture ``key`` as HTML, if it exists."""
    return embedded(title, pictures[key]) if key in pictures else None


def gathered(
    report: LeakReport, verdict: Verdict, counts: bool = True
) -> list[tuple[Finding, int]]:
    """Findings of one verdict; those of the same test and stage are one entry, with their count."""
    found = (f for f in report.findings if f.verdict is verdict and f.counts is counts)
    return grouped(found, lambda f: (f.test, f.stage, f.statistic))


def section(report: LeakReport, sheet: InfoSheet, pictures: Mapping[str, bytes]) -> dict[str, Any]:
    """The part of the page about one report."""
    informs = [*gathered(report, Verdict.LEAK, False), *gathered(report, Verdict.CLEAN, False)]
    ran = dict.fromkeys(f.test for f in report.findings if f.test in DIAGNOSTICS)
    return {
        "subject": subject_name(report.subject),
        "anchor": slug(report.subject),
        "verdict": str(report.verdict),
        "sentence": verdict_sentence(report),
        "answers": audit_answers(report),
        "about": report.about,
        "matrix": image(pictures, f"{slug(report.subject)}/stages", "Every test by stage"),
        "leaks": leak_cards(report, pictures),
        "clean": [table_row(*entry) for entry in gathered(report, Verdict.CLEAN)],
        "unknown": [table_row(finding, 1) for finding in undecided(report)],
        "informs": [table_row(*entry) for entry in informs],
        "sheet": sheet.answers,
        "blind": {numbered(test): DIAGNOSTICS[test].blind for test in ran},
        "not_run": [numbered(test) for test in not_run(report)],
    }


def numbered(test: str) -> str:
    """Number and title of a test of the catalogue."""
    return f"{DIAGNOSTICS[test].number} {title_of(test)}"


def leak_cards(report: LeakReport, pictures: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Every leak with its facts and its picture."""
    cards = []
    for place, (finding, count) in enumerate(gathered(report, Verdict.LEAK)):
        title = f"{title_of(finding.test)}: {witness_text(finding)}"
        cards.append(
            {
                "head": f"{title_of(finding.test)}, at {finding.stage}",
                "facts": leak_facts(finding, count, price_of(report)),
                "picture": image(pictures, witness_key(report, place, finding), title),
            }
        )
    return cards


def leak_facts(finding: Finding, count: int, price: Inflation | None) -> dict[str, str]:
    """Facts about a leak; the added rank IC only if it differs from ``price``."""
    facts = {
        "where": witness_text(finding) if finding.witness else "",
        "what": plain(finding.detail),
        "looks ahead": ahead_text(finding),
        "statistic": finding.statistic,
        "value": f"{size_text(finding)}; a leak {leak_rule(finding)}",
        "size": str(finding.size or ""),
        "p": "" if finding.p_value is None else f"{finding.p_value:.2g}, before adjustment",
        "tested": plain(finding.tested),
        "evidence": finding.evidence,
        "found": f"{count} times; this is the largest" if count > 1 else "",
        "adds": "" if finding.inflation == price else str(finding.inflation or ""),
    }
    return {key: text for key, text in facts.items() if text}


def table_row(finding: Finding, count: int) -> dict[str, str]:
    """A finding that is no leak, as cells of a table."""
    return {
        "test": title_of(finding.test),
        "stage": finding.stage,
        "verdict": str(finding.verdict) if finding.counts else "information only",
        "value": size_text(finding) or "–",
        "size": str(finding.size or ""),
        "threshold": leak_rule(finding),
        "tested": plain(finding.tested),
        "reason": plain(finding.evidence or finding.detail),
        "detail": plain(finding.detail) if finding.detail != finding.evidence else "",
        "count": f"{count} times" if count > 1 else "",
    }


def leak_rule(finding: Finding) -> str:
    """When a finding of this test is a leak."""
    test = DIAGNOSTICS.get(finding.test)
    if test is not None and test.kind == "statistical":
        return f"if p, adjusted for all tests, is below {short(finding.threshold)}"
    return f"above {short(finding.threshold)}"
