"""What an audit shows while it runs and when it ends."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from foldproof.flows.screens.comparison import Bar, Screen
from foldproof.tasks.diagnose import LeakReport, Verdict
from foldproof.tasks.report.audit.text import verdict_sentence
from foldproof.tasks.split import Fold
from foldproof.tasks.track.audit import Audit
from foldproof.tasks.track.store import Links

MEANING = {
    Verdict.CLEAN: "nothing depends on the future within what was tested",
    Verdict.LEAK: "something depends on the future",
    Verdict.UNKNOWN: "it could not be told",
}


class AuditScreen:
    """Writes to a terminal or, without the bar, to a log."""

    def __init__(self) -> None:
        self.screen = Screen()

    def opening(self, title: str, subjects: Sequence[str], fold: Fold) -> None:
        """What is audited, and where."""
        count = f"{len(subjects)} subject{'s' * (len(subjects) > 1)}"
        self.screen.say(title)
        self.screen.say(
            f"{count} on fold {fold.number}, forecast from {fold.test_dates[0]} to "
            f"{fold.test_dates[-1]}"
        )

    def report(self, report: LeakReport) -> None:
        """The line of a finished subject."""
        self.screen.say(f"{report.verdict:<8} {verdict_sentence(report)}")

    @contextmanager
    def bar(self, total: int) -> Iterator[Bar]:
        """A progress bar of ``total`` audits."""
        with self.screen.bar(total) as bar:
            yield bar

    def closing(self, audit: Audit, links: Links, folder: Path) -> None:
        """The verdict, every leak with its witness, what it cost and where to look."""
        say = self.screen.say
        for report in audit.reports:
            for f in report.findings:
                if f.verdict is Verdict.LEAK and f.counts:
                    say(f"  {report.subject}: {f.test}, {f.stage}: {f.detail}")
                    say(f"    {f.witness or ''}")
                    if f.inflation is not None:
                        say(f"    {f.inflation}")
        say(f"verdict: {audit.verdict}, {MEANING[audit.verdict]}")
        say("seconds: " + ", ".join(f"{step} {s:.1f}" for step, s in audit.seconds.items()))
        say(f"Findings: {folder}")
        if links.command:
            say(f"To look at it: {links.command}")
        say(f"Report: {links.report}")
