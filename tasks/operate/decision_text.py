"""A decision of the gate as text: one sentence with its numbers, and a page of Markdown."""

from foldproof.tasks.markdown import escaped
from foldproof.tasks.operate.decision import (
    NOT_ADMITTED,
    Decision,
    Outcome,
    Reason,
    TestedChallenger,
)

REFUSALS = {
    Reason.LEAK: "its forecasts depend on the future",
    Reason.NO_CANDIDATE: "its leak audit is inconclusive",
    Reason.COVERAGE: "it forecasts too few of the universe's rows",
    Reason.TOO_FEW_DATES: "too few dates for a test",
    Reason.NO_IMPROVEMENT: "its gain is not significant",
}
"""Why a challenger is refused."""


def sentence(decision: Decision) -> str:
    """The outcome in one sentence with the numbers that decided it."""
    barred = [
        f"{one.variant} ({one.refusal})"
        for one in decision.challengers
        if one.refusal in NOT_ADMITTED
    ]
    return outcome_text(decision) + (f". Not admitted: {', '.join(barred)}" if barred else "")


def outcome_text(decision: Decision) -> str:
    """The outcome and its numbers, without the challengers that were not admitted."""
    old = decision.champion
    champion = f"version {old.version} ({old.variant})" if old else ""
    chosen = decision.of(decision.variant) if decision.variant else None
    if decision.outcome is Outcome.KEPT or chosen is None:
        stays = f"{champion} stays" if old else "there is no champion yet"
        return f"kept ({decision.reason}): {stays}; {obstacle(decision)}"
    if old is None:
        return (
            f"first: {chosen.variant} is the first champion, mean rank IC {chosen.rank_ic:+.4f} on "
            f"{dates(chosen.dates)}"
        )
    replaces = f"{decision.outcome}: {chosen.variant} replaces {champion}"
    if decision.outcome is Outcome.PROMOTED:
        return f"{replaces}, {gain_text(chosen)}, p {chosen.p:.2g} below {decision.share:.2g}"
    return (
        f"{replaces}, which is due for renewal ({old.behind} trading dates older); "
        f"{gain_text(chosen)}, not significantly worse (p {chosen.p_worse:.2g})"
    )


def obstacle(decision: Decision) -> str:
    """The number that kept the champion."""
    spec, reason = decision.spec, decision.reason
    if reason is Reason.STALE_DATA:
        return (
            f"the newest row is {decision.stale} business days older than the night, more than "
            f"operation.gate.max_age = {spec.max_age}"
        )
    refused = [one for one in decision.challengers if one.refusal is reason]
    if not refused:
        return "no challenger was trained"
    one = refused[0]
    if reason is Reason.COVERAGE:
        return (
            f"{one.variant} forecasts {one.coverage:.1%} of the universe's rows, less than "
            f"operation.gate.min_coverage = {spec.min_coverage:.1%}"
        )
    if reason is Reason.TOO_FEW_DATES:
        return (
            f"{one.variant} was compared on {dates(one.dates)}, fewer than the "
            f"{decision.dates_needed} needed (operation.gate.min_dates = {spec.min_dates}, and at "
            "least four label horizons)"
        )
    if reason is Reason.NO_IMPROVEMENT:
        best = max(refused, key=lambda one: one.gain)
        due = "; it is due for renewal, but every challenger is significantly worse"
        return (
            f"the best of {decision.admitted} challengers is {best.variant}: {gain_text(best)}, "
            f"p {best.p:.2g}, not below {decision.share:.2g}{due if decision.due else ''}"
        )
    return f"{one.variant} (rank IC {one.rank_ic:+.4f}): {REFUSALS[one.refusal or Reason.LEAK]}"


def gain_text(one: TestedChallenger) -> str:
    """A gain with its interval and number of dates."""
    return (
        f"gain in daily rank IC {one.gain:+.4f} ({one.low:+.4f} to {one.high:+.4f}) on "
        f"{dates(one.dates)}"
    )


def dates(count: int) -> str:
    """A number of dates."""
    return f"{count} date{'s' * (count != 1)}"


def markdown(decision: Decision) -> str:
    """The sentence, and a row for each challenger."""
    rows = [
        f"| {escaped(one.variant)} | {one.verdict} | {one.coverage:.1%} | {number(one.rank_ic)} "
        f"| {number(one.gain)} | {number(one.low)} to {number(one.high)} | {one.dates} "
        f"| {number(one.p, '.3g')} | {result_text(decision, one)} |"
        for one in decision.challengers
    ]
    head = (
        "| challenger | leak audit | coverage | rank IC | gain | interval | dates | p | result |\n"
        "|---|---|---:|---:|---:|---:|---:|---:|---|"
    )
    table = "\n".join([head, *rows]) if rows else "No challenger was trained."
    return f"**{escaped(sentence(decision))}**\n\n{table}\n\n{RULE.format(decision=decision)}\n"


RULE = (
    "Gain: mean daily rank IC less the champion's, on the dates and symbols that both forecast out "
    "of sample. Each side of its interval has level {decision.share:.3g}: operation.gate.level = "
    "{decision.spec.level} divided by the number of admitted challengers. p: one-sided p-value of "
    "a true gain of at most operation.gate.least_gain = {decision.spec.least_gain}."
)


def result_text(decision: Decision, one: TestedChallenger) -> str:
    """The result for a challenger in a few words."""
    if one.variant == decision.variant and decision.outcome.moves:
        return str(decision.outcome)
    if one.refusal:
        return REFUSALS[one.refusal]
    return "the data are too old" if decision.reason is Reason.STALE_DATA else "another gains more"


def number(value: float, form: str = "+.4f") -> str:
    """A number, or a dash for NaN."""
    return format(value, form) if value == value else "-"
