"""A decision of the gate in words: one sentence with its numbers, and a page of Markdown."""

from foldproof.tasks.operate.decision import BARRED, Decision, Judged, Outcome, Reason

RULES = {
    Reason.LEAK: "its forecasts depend on the future",
    Reason.NO_CANDIDATE: "its leak audit could not tell",
    Reason.COVERAGE: "it forecasts too little of the universe",
    Reason.TOO_FEW_DATES: "too few dates to judge by",
    Reason.NO_IMPROVEMENT: "its gain may be chance",
}
"""Why a challenger is refused."""


def sentence(decision: Decision) -> str:
    """The outcome in one sentence with the numbers that decided it."""
    chosen = decision.of(decision.variant) if decision.variant else None
    if decision.outcome is Outcome.KEPT or chosen is None:
        return f"kept ({decision.reason}): {kept_words(decision)}{barred_words(decision)}"
    if decision.champion is None:
        return (
            f"first: {chosen.variant} is the first champion, mean rank IC {chosen.rank_ic:+.4f} on "
            f"{dates(chosen.dates)}{barred_words(decision)}"
        )
    old = f"version {decision.champion.version} ({decision.champion.variant})"
    if decision.outcome is Outcome.PROMOTED:
        text = f"{gain_words(chosen)}, p {chosen.p:.2g} below {decision.share:.2g}"
    else:
        text = (
            f"that is {decision.champion.behind} trading dates older and due for renewal; "
            f"{gain_words(chosen)}, not significantly worse (p {chosen.p_worse:.2g})"
        )
    return f"{decision.outcome}: {chosen.variant} replaces {old}, {text}{barred_words(decision)}"


def kept_words(decision: Decision) -> str:
    """What stays, and the number that was in the way."""
    old = decision.champion
    stays = f"version {old.version} ({old.variant}) stays" if old else "there is no champion yet"
    return f"{stays}; {obstacle(decision)}"


def obstacle(decision: Decision) -> str:
    """The number that was in the way."""
    spec, reason = decision.spec, decision.reason
    if reason is Reason.STALE_DATA:
        return (
            f"the newest row lies {decision.stale} business days behind the night, more than "
            f"operation.gate.max_age = {spec.max_age}"
        )
    if not decision.judged:
        return "nothing was trained"
    one = next(one for one in decision.judged if one.refusal is reason)
    if reason is Reason.COVERAGE:
        return (
            f"{one.variant} forecasts {one.coverage:.1%} of the universe's rows, less than "
            f"operation.gate.min_coverage = {spec.min_coverage:.1%}"
        )
    if reason is Reason.TOO_FEW_DATES:
        return (
            f"{one.variant} can be judged on {dates(one.dates)}, fewer than "
            f"operation.gate.min_dates = {spec.min_dates}"
        )
    if reason is Reason.NO_IMPROVEMENT:
        best = max((o for o in decision.judged if o.refusal is reason), key=lambda o: o.gain)
        return (
            f"the best of {decision.admitted} challengers, {best.variant}: {gain_words(best)}, "
            f"p {best.p:.2g} where less than {decision.share:.2g} is needed{due_words(decision)}"
        )
    return f"{one.variant} (rank IC {one.rank_ic:+.4f}): {RULES[one.refusal or Reason.LEAK]}"


def due_words(decision: Decision) -> str:
    """That a renewal was due and failed."""
    if not decision.due:
        return ""
    return "; it is due for renewal, but every challenger is significantly worse"


def gain_words(one: Judged) -> str:
    """A gain with its interval and dates."""
    return (
        f"daily rank IC gains {one.gain:+.4f} ({one.low:+.4f} to {one.high:+.4f}) on "
        f"{dates(one.dates)}"
    )


def barred_words(decision: Decision) -> str:
    """Who was not admitted, other than the one that the sentence is about."""
    barred = [f"{one.variant} ({one.refusal})" for one in decision.judged if one.refusal in BARRED]
    return f". Not admitted: {', '.join(barred)}" if barred else ""


def dates(count: int) -> str:
    """A number of dates."""
    return f"{count} date{'s' * (count != 1)}"


def markdown(decision: Decision) -> str:
    """The sentence, and a row a challenger."""
    rows = [
        f"| {one.variant} | {one.verdict} | {one.coverage:.1%} | {number(one.rank_ic)} "
        f"| {number(one.gain)} | {number(one.low)} to {number(one.high)} | {one.dates} "
        f"| {number(one.p, '.3g')} | {fate(decision, one)} |"
        for one in decision.judged
    ]
    head = (
        "| challenger | leak audit | coverage | rank IC | gain | interval | dates | p | |\n"
        "|---|---|---:|---:|---:|---:|---:|---:|---|"
    )
    table = "\n".join([head, *rows]) if rows else "No challenger was trained."
    return f"**{sentence(decision)}**\n\n{table}\n\n{RULE.format(decision=decision)}\n"


RULE = (
    "Gain: mean daily rank IC less the champion's on the dates and symbols that both forecast out "
    "of sample. Its interval has {decision.share:.3g} on each side, the share of "
    "operation.gate.level = {decision.spec.level} that each admitted challenger has; p is "
    "one-sided, of a gain of at most operation.gate.least_gain = {decision.spec.least_gain}."
)


def fate(decision: Decision, one: Judged) -> str:
    """What becomes of a challenger, in a word or two."""
    if one.variant == decision.variant and decision.outcome.moves:
        return str(decision.outcome)
    if decision.reason is Reason.STALE_DATA:
        return RULES.get(one.refusal, "") if one.refusal else "data are too old"
    return RULES[one.refusal] if one.refusal else "another gains more"


def number(value: float, form: str = "+.4f") -> str:
    """A number, or a dash where there is none."""
    return format(value, form) if value == value else "-"
