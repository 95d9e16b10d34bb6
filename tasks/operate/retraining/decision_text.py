"""A decision of the gate as text: one sentence with its numbers, and a page of Markdown."""

from foldproof.tasks.markdown import escaped
from foldproof.tasks.operate.retraining.decision import (
    NOT_ADMITTED,
    Decision,
    Outcome,
    Reason,
    TestedChallenger,
)
from foldproof.tasks.statistics.sequential_test import POWER

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
        return f"{replaces}, {gain_text(chosen)}, significant {level_text(decision)}"
    return (
        f"{replaces}, which is due for renewal ({old.behind} trading dates older); "
        f"{gain_text(chosen)}, so a loss of operation.gate.renewal_margin = "
        f"{decision.spec.renewal_margin:g} is excluded {level_text(decision)}"
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
            f"{one.variant} was compared on {dates(one.dates)} since the champion took office, "
            f"and at least {decision.dates_needed} are needed (operation.gate.min_dates = "
            f"{spec.min_dates}; with too few no gain is significant {level_text(decision)})"
        )
    if reason is Reason.NO_IMPROVEMENT:
        best = max(refused, key=lambda one: one.gain)
        return (
            f"the best of {decision.admitted} challengers is {best.variant}: {gain_text(best)}, "
            f"not significant {level_text(decision)}; {power_text(best)}{renewal_text(decision)}"
        )
    return f"{one.variant} (rank IC {one.rank_ic:+.4f}): {REFUSALS[one.refusal or Reason.LEAK]}"


def gain_text(one: TestedChallenger) -> str:
    """A gain with its lower bound and number of dates."""
    return f"gain in daily rank IC {one.gain:+.4f} (at least {one.low:+.4f}) on {dates(one.dates)}"


def level_text(decision: Decision) -> str:
    """The level of a challenger's test."""
    return f"at level {decision.share:.2g} a year"


def power_text(one: TestedChallenger) -> str:
    """The gain that a year of tests would find."""
    if one.detectable == float("inf"):
        return "a year has too few dates to find any gain"
    return f"a year of tests finds a gain of {one.detectable:+.4f} with power {POWER:.0%}"


def renewal_text(decision: Decision) -> str:
    """Why a champion that is due was not renewed, and the margin that would renew it."""
    if not decision.due:
        return ""
    margin = -max(one.low for one in decision.challengers if one.refusal is Reason.NO_IMPROVEMENT)
    return (
        "; it is due for renewal, but no challenger is shown to lose less than "
        f"operation.gate.renewal_margin = {decision.spec.renewal_margin:g}; a margin of "
        f"about {margin:.3f} would renew it"
    )


def dates(count: int) -> str:
    """A number of dates."""
    return f"{count} date{'s' * (count != 1)}"


def markdown(decision: Decision) -> str:
    """The sentence, and a row for each challenger."""
    rows = [
        f"| {escaped(one.variant)} | {one.verdict} | {one.coverage:.1%} | {number(one.rank_ic)} "
        f"| {number(one.gain)} | {number(one.low)} | {one.dates} "
        f"| {number(one.detectable)} | {result_text(decision, one)} |"
        for one in decision.challengers
    ]
    head = (
        "| challenger | leak audit | coverage | rank IC | gain | at least | dates | detectable "
        "| result |\n"
        "|---|---|---:|---:|---:|---:|---:|---:|---|"
    )
    table = "\n".join([head, *rows]) if rows else "No challenger was trained."
    return f"**{escaped(sentence(decision))}**\n\n{table}\n\n{RULE.format(decision=decision)}\n"


RULE = (
    "Gain: mean daily rank IC less the champion's, on the dates and symbols that both forecast out "
    "of sample, over all nights since the champion took office; each date is tested once. It is "
    "significant if the lower bound (at least) exceeds operation.gate.least_gain = "
    "{decision.spec.least_gain}. The bound holds on all nights of a year together with level "
    "{decision.share:.3g}: operation.gate.level = {decision.spec.level} divided by the number of "
    "admitted challengers. Detectable: the gain that a year of tests finds with a power of 80 %."
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
