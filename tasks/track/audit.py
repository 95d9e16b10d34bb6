"""Log an audit: one run that carries the verdict, the page, the findings and the sheets."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from foldproof.tasks.diagnose.findings.finding import LeakReport, Verdict
from foldproof.tasks.diagnose.findings.sheet import sheet_of
from foldproof.tasks.report.audit.text import verdict_sentence
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.runs import SUMMARY, finished_runs, log_values, new_run
from foldproof.tasks.track.store import Links, Store, runs_page, ui_command, url_of
from foldproof.tasks.track.values import NOTE, Value


@dataclass(frozen=True)
class Audit:
    """What an audit came to.

    Attributes:
        title: Of the run.
        audit_id: Hash of all that decides it; the same audit is one run.
        reports: One a subject.
        verdict: The worst of the reports, planted controls aside.
        settings: What was set, flat.
        seconds: By step.
        code_version: Of the project.
    """

    title: str
    audit_id: str
    reports: tuple[LeakReport, ...]
    verdict: Verdict
    settings: Mapping[str, object]
    seconds: Mapping[str, float]
    code_version: str


def log_leak_audit(store: Store, audit: Audit, report: Report) -> Links:
    """Write the run unless it is there; say where it is."""
    runs = finished_runs(store, audit.audit_id)
    if SUMMARY not in runs:
        with new_run(store, audit.title, audit_tags(audit)) as run_id:
            settings = {name: str(value) for name, value in audit.settings.items()}
            log_values(store, run_id, audit_values(audit), settings)
            with tempfile.TemporaryDirectory() as folder:
                write_audit(audit, report, Path(folder))
                store.client.log_artifacts(run_id, folder)
        runs[SUMMARY] = run_id
    page = f"{runs_page(store)}/{runs[SUMMARY]}/artifacts/report.html"
    return Links(runs[SUMMARY], {}, url_of(store, audit.audit_id), page, ui_command(store))


def audit_tags(audit: Audit) -> dict[str, str]:
    """What finds the run, and the verdicts as tags and description."""
    return {
        "comparison": audit.audit_id,
        "kind": "audit",
        "title": audit.title,
        "verdict": audit.verdict,
        "code_version": audit.code_version,
        **{f"verdict.{report.subject}": report.verdict for report in audit.reports},
        NOTE: "\n\n".join(verdict_sentence(report) for report in audit.reports),
    }


def audit_values(audit: Audit) -> Iterator[Value]:
    """Statistics of every finding that has a number, by subject, test and stage; the seconds."""
    for report in audit.reports:
        for finding in report.findings:
            if finding.value == finding.value and abs(finding.value) != float("inf"):
                stage = finding.stage.replace(" ", "_")
                yield f"{report.subject}/{finding.test}.{stage}", float(finding.value), 0
        price = next((f.inflation for f in report.findings if f.inflation), None)
        if price is not None:
            yield f"{report.subject}/inflation", price.value, 0
    for step, spent in audit.seconds.items():
        yield f"seconds/{step}", float(spent), 0


def write_audit(audit: Audit, report: Report, folder: Path) -> None:
    """The page, and each report as JSON and Markdown with its information sheet, in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text(report.page, encoding="utf-8")
    for name, png in report.figures.items():
        file = folder / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png)
    for one in audit.reports:
        name = file_name(one.subject)
        (folder / f"{name}.json").write_text(one.to_json(), encoding="utf-8")
        sheet = sheet_of(one)
        text = f"{one.to_markdown()}\n{sheet.to_markdown()}"
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def file_name(subject: str) -> str:
    """``subject`` as the name of a file."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in subject)
