"""The screen of a leak audit: a line per subject, the leaks, the verdict, where to look."""

from collections.abc import Sequence
from pathlib import Path

from foldproof.flows.screens.terminal import Terminal
from foldproof.tasks.diagnose import LeakReport, Verdict
from foldproof.tasks.diagnose.findings.causes import causes_of
from foldproof.tasks.diagnose.findings.sheet import title_of
from foldproof.tasks.report.audit.text import (
    subject_name,
    verdict_sentence,
    what_it_adds,
    witness_text,
)
from foldproof.tasks.report.text import counted, listed, plain
from foldproof.tasks.split import Fold
from foldproof.tasks.track.results.audit import Audit
from foldproof.tasks.track.store import Links

MEANING = {
    Verdict.CLEAN: "no dependence on the future in what was tested",
    Verdict.LEAK: "a result depends on the future",
    Verdict.UNKNOWN: "undecided",
}


class AuditScreen(Terminal):
    """The printed output of an audit."""

    def opening(self, title: str, subjects: Sequence[str], fold: Fold) -> None:
        """Subjects and fold."""
        self.say(title)
        self.say(
            f"{counted(len(subjects), 'subject')} on fold {fold.number}, forecasts from "
            f"{fold.test_dates[0]} to {fold.test_dates[-1]}"
        )

    def report(self, report: LeakReport) -> None:
        """The line of a finished subject."""
        self.say(f"{report.verdict:<8} {verdict_sentence(report)}")

    def closing(self, audit: Audit, links: Links, folder: Path) -> None:
        """Every cause of a leak with what mends it, the verdict, seconds, and where to look."""
        for report in audit.reports:
            name = subject_name(report.subject)
            for cause in causes_of(report):
                f = cause.finding
                self.say(f"  {name}: {f.test}, {f.stage}: {plain(f.detail)}")
                if f.witness:
                    self.say(f"    {witness_text(f)}")
                if cause.consequences:
                    shown = listed(title_of(one.test).lower() for one in cause.consequences)
                    self.say(f"    this shows in {shown} too")
                if cause.fix:
                    self.say(f"    to fix it: {cause.fix}")
            if report.verdict is Verdict.LEAK:
                self.say(f"  {name}, added rank IC: {what_it_adds(report)}")
        self.say(f"verdict: {audit.verdict}, {MEANING[audit.verdict]}")
        self.say_seconds("seconds", audit.seconds)
        self.say(f"Findings: {folder}")
        self.say_links(links)
