"""Log an audit: one run with the verdict, the page, the findings and the information sheets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from foldproof.tasks.diagnose.findings.finding import LeakReport, Verdict
from foldproof.tasks.diagnose.findings.sheet import sheet_of
from foldproof.tasks.markdown import escaped
from foldproof.tasks.report.audit.text import price_of, verdict_sentence
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.entries import NOTE, Value, seconds
from foldproof.tasks.track.files import File
from foldproof.tasks.track.runs import log_once
from foldproof.tasks.track.store import Links, Store


@dataclass(frozen=True)
class Audit:
    """A finished audit.

    Attributes:
        title: Title of the run.
        audit_id: Hash of all inputs; the same audit is one run.
        reports: One per subject.
        verdict: The worst of the reports, without planted controls.
        settings: The settings by flat name.
        seconds: Wall time by step.
        code_version: Hash of the code.
    """

    title: str
    audit_id: str
    reports: tuple[LeakReport, ...]
    verdict: Verdict
    settings: Mapping[str, object]
    seconds: Mapping[str, float]
    code_version: str


def log_leak_audit(store: Store, audit: Audit, report: Report) -> Links:
    """Write the run unless it exists; return where it is."""
    content = audit_tags(audit), audit_values(audit), audit.settings, audit_files(audit, report)
    return log_once(store, audit.title, *content)


def audit_tags(audit: Audit) -> dict[str, str]:
    """Tags that identify the run, the verdicts, and the description."""
    return {
        "comparison": audit.audit_id,
        "kind": "audit",
        "title": audit.title,
        "verdict": audit.verdict,
        "code_version": audit.code_version,
        **{f"verdict.{report.subject}": report.verdict for report in audit.reports},
        NOTE: "\n\n".join(escaped(verdict_sentence(report)) for report in audit.reports),
    }


def audit_values(audit: Audit) -> Iterator[Value]:
    """The statistic of every finding by subject, test and stage; the added rank IC; seconds."""
    for report in audit.reports:
        for finding in report.findings:
            if finding.value == finding.value and abs(finding.value) != float("inf"):
                stage = finding.stage.replace(" ", "_")
                yield f"{report.subject}/{finding.test}.{stage}", float(finding.value), 0
        price = price_of(report)
        if price is not None:
            yield f"{report.subject}/inflation", price.value, 0
    yield from seconds(audit.seconds)


def audit_files(audit: Audit, report: Report) -> Iterator[File]:
    """The page, and each report as JSON and Markdown with its information sheet."""
    yield "report.html", report.page
    for name, svg in report.figures.items():
        yield f"{name}.svg", svg
    for one in audit.reports:
        name = file_name(one.subject)
        yield f"{name}.json", one.to_json()
        yield f"{name}.md", f"{one.to_markdown()}\n{sheet_of(one).to_markdown()}"


def file_name(subject: str) -> str:
    """``subject`` as a file name."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in subject)
