"""What a leak audit found, in plain words: one sentence a report, one paragraph a question."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Inflation, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.sheet import stage_of, stages_of, title_of


def verdict_sentence(report: LeakReport) -> str:
    """The verdict in one line, for a page, a screen or a tracker."""
    if report.verdict is Verdict.LEAK:
        return f"{report.subject}: leaks {listed(entries_of(report))}.{price_clause(report)}"
    if report.verdict is Verdict.UNKNOWN:
        return f"{report.subject}: could not be judged, which is not clean: {open_clause(report)}."
    tests = dict.fromkeys(title_of(f.test).lower() for f in counted(report, Verdict.CLEAN))
    said = listed(tests) if len(tests) <= 4 else f"{len(tests)} tests, {listed(tests)}"
    return f"{report.subject}: did not depend on the future in what was tested: {said}."


def answers_on(report: LeakReport) -> list[str]:
    """One paragraph a question of ``AUDIT_QUESTIONS``, in its order."""
    return [answer(report) for answer in AUDIT_QUESTIONS.values()]


def counted(report: LeakReport, verdict: Verdict) -> list[Finding]:
    """Findings with this verdict that count."""
    return [f for f in report.findings if f.counts and f.verdict is verdict]


def undecided(report: LeakReport) -> list[Finding]:
    """Findings that are UNKNOWN, those that inform only included."""
    return [f for f in report.findings if f.verdict is Verdict.UNKNOWN]


def leaks_by_stage(report: LeakReport) -> list[Finding]:
    """The leak that shows most at each stage that has one, in the order in which data pass."""
    leaks = counted(report, Verdict.LEAK)
    by_stage = {s: [f for f in leaks if stage_of(f.stage) == s] for s in stages_of(leaks)}
    return [max(found, key=telling) for found in by_stage.values()]


def telling(finding: Finding) -> tuple[bool, bool, float]:
    """How much a leak tells a reader: a value that moved first, then a size in sd, then its size.

    Sizes in different units do not compare, so that the last decides only among equals.
    """
    witness, value = finding.witness, finding.value
    moved = witness is not None and witness.before == witness.before
    return moved, finding.size is not None, value if value == value else float("-inf")


def entries_of(report: LeakReport) -> list[str]:
    """Where it leaks: stage, test, column, look-ahead."""
    found = []
    for finding in leaks_by_stage(report):
        column = finding.witness.column if finding.witness else ""
        what = f": {column}" if column not in ("", finding.stage) else ""
        test = title_of(finding.test).lower()
        found.append(f"at {finding.stage} ({test}{what}{ahead_clause(finding)})")
    return found


def ahead_clause(finding: Finding) -> str:
    """How far it looks ahead, if that is known."""
    if not finding.ahead:
        return ""
    return f", at least {finding.ahead} trading day{'s' * (finding.ahead > 1)} ahead"


def price_of(report: LeakReport) -> Inflation | None:
    """What the leak is worth: the price of the leak that tells most, of those that have one."""
    priced = [f for f in counted(report, Verdict.LEAK) if f.inflation is not None]
    return max(priced, key=telling).inflation if priced else None


def price_clause(report: LeakReport) -> str:
    """The inflation in a sentence, or nothing."""
    price = price_of(report)
    if price is None:
        return ""
    said = f"{signed(price.value)} {interval(price)}"
    if price.low > 0:
        return f" It adds {said} to the reported rank IC."
    if price.high < 0:
        return f" It changes the reported rank IC by {said}, for the worse."
    return f" What it adds to the reported rank IC cannot be told from zero: {said}."


def interval(price: Inflation) -> str:
    """The interval of the difference, with its level; or that there is none."""
    if not price.has_interval:
        return f"({price.dates} dates are too few for an interval)"
    return f"({price.level:.0%} interval {signed(price.low)} to {signed(price.high)})"


def signed(value: float) -> str:
    """Three decimals with a sign that does not break."""
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def open_clause(report: LeakReport) -> str:
    """Why nothing can be said."""
    reasons = [reason_of(f) for f in counted(report, Verdict.UNKNOWN)]
    return "; ".join(dict.fromkeys(reasons)) or "no test that counts gave an answer"


def reason_of(finding: Finding) -> str:
    """Why a test could not decide, with its name."""
    return f"{title_of(finding.test).lower()}: {(finding.evidence or finding.detail).rstrip('.')}"


def where_it_enters(report: LeakReport) -> str:
    """Every stage at which a test finds a leak, with the place where it shows most."""
    leaks = leaks_by_stage(report)
    if not leaks:
        return "No test found a place where it does."
    places = " ".join(f"At {f.stage}: {f.witness or f.detail}." for f in leaks)
    return f"{places} What is made of it further on moves with it."


def what_it_is_worth(report: LeakReport) -> str:
    """Reported and honest rank IC, and whether the difference can be told from zero."""
    price = price_of(report)
    if report.verdict is not Verdict.LEAK:
        return "There is no leak to put a price on."
    if price is None:
        return "Not measured: no target was at hand to score an honest replay with."
    said = (
        f"A mean daily rank IC of {signed(price.reported)} is reported; an honest replay of the "
        f"same {price.dates} dates, with nothing dated later in reach, gives "
        f"{signed(price.honest)}. The difference is {signed(price.value)} {interval(price)}"
    )
    return f"{said}{verdict_on(price)}{abstained(price)}"


def verdict_on(price: Inflation) -> str:
    """How the interval lies to zero."""
    if not price.has_interval:
        return ", which may be chance."
    if price.low > 0:
        return ": that much of the result is not skill."
    if price.high < 0:
        return ": the leak does harm to the forecast on these dates."
    return (
        ", which includes zero: on these dates the leak does not show in the result. It is a leak "
        "all the same, and may pay on others."
    )


def abstained(price: Inflation) -> str:
    """Dates that cannot be forecast honestly."""
    if not price.abstained:
        return ""
    return f" {price.abstained} of the dates cannot be forecast honestly at all; they count as 0."


def what_is_not_known(report: LeakReport) -> str:
    """Tests that could not decide, and tests that were not run."""
    told = [reason_of(f) for f in counted(report, Verdict.UNKNOWN)]
    others = dict.fromkeys(title_of(f.test).lower() for f in undecided(report) if not f.counts)
    parts = [f"Undecided: {'; '.join(dict.fromkeys(told))}."] if told else []
    if others:
        parts.append(f"Undecided without a part in the verdict: {listed(others)}.")
    missing = not_run(report)
    if missing:
        parts.append(f"Not run: {len(missing)} of {len(DIAGNOSTICS)} tests of the catalogue.")
    return " ".join([*parts, BEYOND])


BEYOND = "No test sees what people chose, or data that were wrong when they were recorded."


def not_run(report: LeakReport) -> list[str]:
    """Tests of the catalogue that gave no answer at all."""
    ran = {f.test for f in report.findings}
    return [test for test in DIAGNOSTICS if test not in ran]


def listed(names: Iterable[str]) -> str:
    """A, B and C, each once."""
    *head, last = list(dict.fromkeys(names)) or ["nothing"]
    return f"{', '.join(head)} and {last}" if head else last


def overall_sentence(reports: Sequence[LeakReport]) -> str:
    """How many of several subjects leak, are undecided, are clean."""
    told = Counter(report.verdict for report in reports)
    parts = [f"{told[verdict]} {words}" for verdict, words in TOLD.items() if told[verdict]]
    return f"Of {len(reports)} subjects {listed(parts)}."


TOLD: Mapping[Verdict, str] = MappingProxyType(
    {
        Verdict.LEAK: "see the future",
        Verdict.UNKNOWN: "could not be judged (which is not clean)",
        Verdict.CLEAN: "did not depend on the future in what was tested",
    }
)
"""Verdicts on several subjects, the worst first."""

AUDIT_QUESTIONS: Mapping[str, Callable[[LeakReport], str]] = MappingProxyType(
    {
        "Does it see the future?": verdict_sentence,
        "Where does it enter?": where_it_enters,
        "What is it worth?": what_it_is_worth,
        "What is not known?": what_is_not_known,
    }
)
"""What a reader asks of an audit, in order."""
