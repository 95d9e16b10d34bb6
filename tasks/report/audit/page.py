"""The page of a leak audit: one HTML file of one or several reports."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Inflation, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.sheet import READING, InfoSheet, sheet_of, title_of
from foldproof.tasks.report.audit.figures import (
    largest,
    short,
    size_text,
    stage_matrix,
    subject_matrix,
)
from foldproof.tasks.report.audit.witness import witness_picture
from foldproof.tasks.report.audit.words import (
    AUDIT_QUESTIONS,
    ahead_clause,
    answers_on,
    not_run,
    overall_sentence,
    price_of,
    undecided,
    verdict_sentence,
)
from foldproof.tasks.report.style import render
from foldproof.tasks.report.template import Report, embedded, fill

SUBJECTS = "subjects"
"""Key of the picture that shows all subjects at once."""

Entry = tuple[Finding, int]
"""A finding, and how many of its test and stage came out so."""


def audit_page(
    reports: Sequence[LeakReport], title: str, sheets: Sequence[InfoSheet] | None = None
) -> str:
    """One page that needs nothing beside it, the answers first. Text from data is escaped.

    Args:
        reports: One or more, of different subjects.
        title: The page's.
        sheets: An information sheet a report, in their order; by default what follows from them.

    Raises:
        ValueError: No report, two of one subject, or sheets of other subjects.
    """
    return audit_report(reports, title, sheets).page


def audit_report(
    reports: Sequence[LeakReport], title: str, sheets: Sequence[InfoSheet] | None = None
) -> Report:
    """The page and its pictures: ``subjects`` of several reports, then ``<subject>/<picture>``.

    Args:
        reports: As for ``audit_page``.
        title: As for ``audit_page``.
        sheets: As for ``audit_page``.

    Raises:
        ValueError: As ``audit_page``.
    """
    filled = list(sheets) if sheets is not None else [sheet_of(report) for report in reports]
    checked(reports, filled)
    pictures = pictures_of(reports)
    parts = [section(*pair, pictures) for pair in zip(reports, filled, strict=True)]
    page = fill(
        "audit.html",
        title=title,
        summary=overall_sentence(reports),
        several=len(reports) > 1,
        subjects=image(pictures, SUBJECTS, "Every test on every subject"),
        sections=parts,
        questions=list(AUDIT_QUESTIONS),
        reading=READING,
        limits=LIMITS,
    )
    return Report(page, pictures)


def checked(reports: Sequence[LeakReport], sheets: Sequence[InfoSheet]) -> None:
    """Raise unless there are reports, each of its own subject, and a sheet for each."""
    subjects = [report.subject for report in reports]
    if not subjects or len(set(subjects)) < len(subjects):
        raise ValueError(
            f"a page needs one report or more, each of a subject of its own; got {subjects}"
        )
    if [sheet.subject for sheet in sheets] != subjects:
        raise ValueError(
            f"sheets are of {[sheet.subject for sheet in sheets]}, reports of {subjects}: give a "
            "sheet for each report, in the same order"
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
    """A subject as part of an address or a file's name."""
    return re.sub(r"[^\w.-]+", "_", subject)


def witness_key(report: LeakReport, place: int, finding: Finding) -> str:
    """The key of the picture of a report's leak, numbered from 1."""
    return f"{slug(report.subject)}/leak_{place + 1}_{finding.test}_{slug(finding.stage)}"


def image(pictures: Mapping[str, bytes], key: str, title: str) -> Markup | None:
    """A picture inside the page, if there is one under ``key``."""
    return embedded(title, pictures[key]) if key in pictures else None


def gathered(report: LeakReport, verdict: Verdict, counts: bool = True) -> list[Entry]:
    """Findings of one kind; those that differ in size only are one entry, the largest."""
    entries: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in report.findings:
        if finding.verdict is verdict and finding.counts is counts:
            key = (finding.test, finding.stage, finding.statistic)
            entries.setdefault(key, []).append(finding)
    return [(largest(found), len(found)) for found in entries.values()]


def section(report: LeakReport, sheet: InfoSheet, pictures: Mapping[str, bytes]) -> dict[str, Any]:
    """What the page says of one report."""
    informs = [*gathered(report, Verdict.LEAK, False), *gathered(report, Verdict.CLEAN, False)]
    return {
        "subject": report.subject,
        "anchor": slug(report.subject),
        "verdict": str(report.verdict),
        "sentence": verdict_sentence(report),
        "answers": answers_on(report),
        "about": report.about,
        "matrix": image(pictures, f"{slug(report.subject)}/stages", "Every test by stage"),
        "leaks": leak_cards(report, pictures),
        "clean": [row_of(*entry) for entry in gathered(report, Verdict.CLEAN)],
        "unknown": [row_of(finding, 1) for finding in undecided(report)],
        "informs": [row_of(*entry) for entry in informs],
        "sheet": sheet.answers,
        "blind": blind_spots(report),
        "not_run": [title_of(test) for test in not_run(report)],
    }


def leak_cards(report: LeakReport, pictures: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Every leak with its facts and its picture."""
    cards = []
    for place, (finding, count) in enumerate(gathered(report, Verdict.LEAK)):
        said = f"{title_of(finding.test)}: {finding.witness or finding.detail}"
        picture = image(pictures, witness_key(report, place, finding), said)
        head = f"{title_of(finding.test)}, at {finding.stage}"
        facts = facts_of(finding, count, price_of(report))
        cards.append({"head": head, "facts": facts, "picture": picture})
    return cards


def facts_of(finding: Finding, count: int, price: Inflation | None) -> dict[str, str]:
    """What is known of a leak; what it is worth only where that differs from ``price``."""
    facts = {
        "where it shows": str(finding.witness or ""),
        "what": finding.detail,
        "looks ahead": ahead_clause(finding).removeprefix(", "),
        "statistic": finding.statistic,
        "value": f"{size_text(finding)}; a leak {limit_of(finding)}",
        "size": str(finding.size or ""),
        "p": "" if finding.p_value is None else f"{finding.p_value:.2g}, before adjustment",
        "tested": finding.tested,
        "evidence": finding.evidence,
        "found": f"{count} times, this is the largest" if count > 1 else "",
        "worth": "" if finding.inflation == price else str(finding.inflation or ""),
    }
    return {key: text for key, text in facts.items() if text}


def row_of(finding: Finding, count: int) -> dict[str, str]:
    """A finding that is no leak, as cells."""
    return {
        "test": title_of(finding.test),
        "stage": finding.stage,
        "verdict": str(finding.verdict) if finding.counts else "informs only",
        "value": size_text(finding) or "–",
        "size": str(finding.size or ""),
        "threshold": limit_of(finding),
        "tested": finding.tested,
        "reason": finding.evidence or finding.detail,
        "detail": finding.detail if finding.detail != finding.evidence else "",
        "count": f"{count} times" if count > 1 else "",
    }


def limit_of(finding: Finding) -> str:
    """What makes a finding of this test a leak: its value, or the chance of such a value."""
    test = DIAGNOSTICS.get(finding.test)
    if test is not None and test.kind == "statistical":
        return f"where p, adjusted for all tests, is below {short(finding.threshold)}"
    return f"above {short(finding.threshold)}"


def blind_spots(report: LeakReport) -> dict[str, str]:
    """What each test that answered cannot see."""
    ran = dict.fromkeys(f.test for f in report.findings if f.test in DIAGNOSTICS)
    return {title_of(test): DIAGNOSTICS[test].blind for test in ran}


LIMITS = (
    "Data that were wrong when they were recorded: restated figures, prices adjusted by later "
    "splits and dividends, companies that failed and are missing. Running the code again on what "
    "is left shows nothing of it.",
    "What people chose after they had looked at the test years: features, settings, the years "
    "themselves, and every variant that was tried and dropped.",
    "A leak that shows on few dates, none of them near a cut. One that shows on a share p of the "
    "dates escapes K cuts with probability (1 − p) to the power K: for p = 5 %, 36 % where K = 20 "
    "and 66 % where K = 8.",
    "Whether a price could be had: costs, capacity, borrowing, and the time between forecast and "
    "trade.",
)
"""What no audit of running code can see."""
