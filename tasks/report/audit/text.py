"""The results of a leak audit as text: a sentence per report, a paragraph per question."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import isfinite

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS, IN_THE_ROWS
from foldproof.tasks.diagnose.findings.causes import causes_of, telling
from foldproof.tasks.diagnose.findings.finding import Finding, Inflation, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.sheet import stage_of, stages_of, title_of
from foldproof.tasks.report.text import counted, label, listed, minus, plain


def verdict_sentence(report: LeakReport) -> str:
    """The verdict in one line, for a page, a screen or a tracker."""
    who = subject_name(report.subject)
    if report.verdict is Verdict.LEAK:
        return f"{who}: leaks {listed(leak_clauses(report))}.{price_clause(report)}"
    if report.verdict is Verdict.UNKNOWN:
        reasons = listed_reasons(counting(report, Verdict.UNKNOWN))
        return f"{who}: undecided, which is not clean ({reasons or 'no test gave a result'})."
    tests = passed_tests(report)
    count = "" if len(tests) <= 4 else f"{len(tests)} tests: "
    untested = " Not tested: how its ready-made features were computed." * ready_made(report)
    return f"{who}: no dependence on the future found by {count}{listed(tests)}.{untested}"


def passed_tests(report: LeakReport) -> list[str]:
    """Tests with a clean result; with their stages if another stage is undecided."""
    clean: dict[str, list[str]] = {}
    for f in counting(report, Verdict.CLEAN):
        clean.setdefault(f.test, []).append(f.stage)
    open_ones = {f.test for f in undecided(report)}
    return [
        f"{title_of(test).lower()}{f' at {listed(stages)}' * (test in open_ones)}"
        for test, stages in clean.items()
    ]


def ready_made(report: LeakReport) -> bool:
    """Whether the features are ready-made, so that their computation was not tested."""
    return any(f.test == "serve_invariance" and f.stage == "features" for f in undecided(report))


def subject_name(subject: str) -> str:
    """The subject as it is read in a sentence; own forecasters keep their full name."""
    return label(subject) if subject == "none" else subject


def audit_answers(report: LeakReport) -> list[str]:
    """One paragraph per question of ``AUDIT_QUESTIONS``, in the same order."""
    return [answer(report) for answer in AUDIT_QUESTIONS.values()]


def counting(report: LeakReport, verdict: Verdict) -> list[Finding]:
    """Findings with this verdict that count for the overall one."""
    return [f for f in report.findings if f.counts and f.verdict is verdict]


def undecided(report: LeakReport) -> list[Finding]:
    """Findings that are UNKNOWN, also those for information only."""
    return [f for f in report.findings if f.verdict is Verdict.UNKNOWN]


def grouped(
    findings: Iterable[Finding], key: Callable[[Finding], Hashable]
) -> list[tuple[Finding, int]]:
    """The largest finding of each key, and how many share that key."""
    groups: dict[Hashable, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(key(finding), []).append(finding)
    return [(largest(found), len(found)) for found in groups.values()]


def largest(findings: Sequence[Finding]) -> Finding:
    """The finding with the largest value; one without a value comes last."""
    return max(findings, key=lambda f: f.value if f.value == f.value else float("-inf"))


def most_telling(findings: Iterable[Finding]) -> Finding | None:
    """The leak that says most to a reader, see :func:`telling`."""
    return max(findings, key=telling, default=None)


def leaks_by_stage(report: LeakReport) -> list[Finding]:
    """The most telling cause of each stage that leaks, in the order of the pipeline."""
    leaks = [cause.finding for cause in causes_of(report)]
    found = (most_telling(f for f in leaks if stage_of(f.stage) == s) for s in stages_of(leaks))
    return [finding for finding in found if finding is not None]


def leak_clauses(report: LeakReport) -> list[str]:
    """Where it leaks: stage, test, column, look-ahead."""
    clauses = []
    for finding in leaks_by_stage(report):
        column = finding.witness.column if finding.witness else ""
        what = f": {column}" if column not in ("", finding.stage) else ""
        ahead = f", {ahead_text(finding)}" if finding.ahead else ""
        clauses.append(f"at {finding.stage} ({title_of(finding.test).lower()}{what}{ahead})")
    return clauses


def ahead_text(finding: Finding) -> str:
    """How far a result looks ahead; empty if unknown."""
    return f"at least {counted(finding.ahead, 'trading day')} ahead" if finding.ahead else ""


def witness_text(finding: Finding) -> str:
    """Which value changes on which later data; the finding's detail if it names no value."""
    witness = finding.witness
    if witness is None:
        return plain(finding.detail).rstrip(".")
    where = " ".join(part for part in (witness.date, witness.symbol, witness.column) if part)
    if witness.before == witness.before or witness.after == witness.after:
        change = f"{where}: {witness.before:.6g} becomes {witness.after:.6g}".removeprefix(": ")
    else:
        change = f"{where or 'the result'} changes"
    return f"{change} when data not yet known on {witness.cut} change" if witness.cut else change


def price_of(report: LeakReport) -> Inflation | None:
    """The rank IC that the leak adds; None if unmeasured or if no date has an honest forecast."""
    priced = [f for f in counting(report, Verdict.LEAK) if f.inflation is not None]
    worst = most_telling(priced)
    price = worst.inflation if worst else None
    return price if price is not None and price.measured else None


def price_clause(report: LeakReport) -> str:
    """The added rank IC as a sentence with a leading space, or nothing."""
    price = price_of(report)
    if price is None:
        return ""
    effect = "Its effect on the reported rank IC is not significant"
    if price.low > 0:
        effect = "It adds to the reported rank IC"
    if price.high < 0:
        effect = "It lowers the reported rank IC"
    return f" {effect}: {signed(price.value)} {interval(price)}."


def interval(price: Inflation) -> str:
    """The interval of the difference with its level, in brackets."""
    if not isfinite(price.low):
        return f"({price.dates} dates are too few for an interval)"
    return f"({price.level:.0%} interval {signed(price.low)} to {signed(price.high)})"


def signed(value: float) -> str:
    """Three decimals with a sign."""
    return minus(f"{value:+.3f}")


def listed_reasons(findings: Iterable[Finding]) -> str:
    """Why tests are undecided, each reason once."""
    reasons = (
        f"{title_of(f.test).lower()}: {plain(f.evidence or f.detail).rstrip('.')}" for f in findings
    )
    return "; ".join(dict.fromkeys(reasons))


def where_it_enters(report: LeakReport) -> str:
    """Every stage that leaks, with the most telling witness and what mends it."""
    leaks = leaks_by_stage(report)
    if not leaks:
        return "No test found a leak."
    places = " ".join(f"At {f.stage}: {witness_text(f)}." for f in leaks)
    mended = "; ".join(dict.fromkeys(cause.fix for cause in causes_of(report) if cause.fix))
    fix = f" To fix it, {mended}." if mended else ""
    return f"{places} Everything computed from it changes too.{fix}"


def what_it_adds(report: LeakReport) -> str:
    """Reported and honest rank IC, and whether the difference is significant."""
    if report.verdict is not Verdict.LEAK:
        return "No leak, so there is nothing to quantify."
    price = price_of(report)
    if price is None:
        if any(f.inflation for f in report.findings):
            return "Not measurable: no replayed date has an honest forecast."
        if all(f.test in IN_THE_ROWS for f in counting(report, Verdict.LEAK)):
            return "Not measured: the leak is in the rows themselves, so a replay has it, too."
        return "Not measured: an honest replay needs a target, and none was given."
    said = (
        f"The reported mean daily rank IC is {signed(price.reported)}. An honest replay of the "
        f"same {counted(price.dates, 'date')}, in which later data are out of reach, gives "
        f"{signed(price.honest)}. The difference is {signed(price.value)} {interval(price)}"
    )
    missing = (
        f" {counted(price.abstained, 'date')} without an honest forecast count as 0."
        if price.abstained
        else ""
    )
    return f"{said}{significance(price)}{missing}"


def significance(price: Inflation) -> str:
    """What the interval says about the difference."""
    if not isfinite(price.low):
        return ", so it may be chance."
    if price.low > 0:
        return ": that part of the result is not skill."
    if price.high < 0:
        return ": the leak makes these forecasts worse."
    return (
        ", which includes zero: on these dates the leak does not change the result significantly. "
        "It remains a leak and may matter on other dates."
    )


def what_is_not_known(report: LeakReport) -> str:
    """Undecided tests, and tests that were not run."""
    reasons = listed_reasons(counting(report, Verdict.UNKNOWN))
    others = dict.fromkeys(title_of(f.test).lower() for f in undecided(report) if not f.counts)
    missing = not_run(report)
    parts = [
        f"Undecided: {reasons}." if reasons else "",
        f"Undecided, but not part of the verdict: {listed(others)}." if others else "",
        f"Not run: {len(missing)} of {len(DIAGNOSTICS)} tests." if missing else "",
        "No test covers human choices or data that were wrong when recorded.",
    ]
    return " ".join(part for part in parts if part)


def not_run(report: LeakReport) -> list[str]:
    """Tests of the catalogue without any result."""
    ran = {f.test for f in report.findings}
    return [test for test in DIAGNOSTICS if test not in ran]


def overall_sentence(reports: Sequence[LeakReport]) -> str:
    """How many of several subjects leak, are undecided, are clean."""
    counts = Counter(report.verdict for report in reports)
    parts = [f"{counts[verdict]} {text}" for verdict, text in VERDICTS.items() if counts[verdict]]
    return f"Of {len(reports)} subjects: {listed(parts)}."


VERDICTS: Mapping[Verdict, str] = {
    Verdict.LEAK: "with a leak",
    Verdict.UNKNOWN: "undecided (not clean)",
    Verdict.CLEAN: "without a leak in what was tested",
}
"""Verdicts on several subjects, the worst first."""

AUDIT_QUESTIONS: Mapping[str, Callable[[LeakReport], str]] = {
    "Does it see the future?": verdict_sentence,
    "Where does the leak enter?": where_it_enters,
    "How much rank IC does it add?": what_it_adds,
    "What remains unknown?": what_is_not_known,
}
"""The questions of the audit page, in order."""
