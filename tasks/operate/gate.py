"""The gate: from evidence on challengers and champion to who is champion tomorrow, and why."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from foldproof.tasks.compare.paired import Paired, paired
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.operate.decision import (
    BARRED,
    Challenger,
    Decision,
    Incumbent,
    Judged,
    Outcome,
    Reason,
)
from foldproof.tasks.operate.spec import GateSpec
from foldproof.tasks.statistics.mean_test import LEAST_DATES


def decide(
    challengers: Sequence[Challenger],
    champion: Incumbent | None,
    spec: GateSpec,
    horizon: int,
    stale: int,
) -> Decision:
    """Who is champion tomorrow.

    A challenger is admitted if its audit is CLEAN and it forecasts enough of the universe. Without
    a champion the admitted one with the highest mean rank IC becomes it. Else one is promoted if
    its daily rank IC exceeds the champion's by more than ``least_gain``, tested one-sided on paired
    days at ``level`` divided by the number admitted (Bonferroni: however many are tried, a champion
    that is as good as all of them is replaced with probability ``level`` at most). Among several
    that pass, the largest gain. A champion that is due gives way to the admitted challenger of the
    largest gain whose loss is not significant at ``level``: that test is not shared, so that
    trying more challengers does not make it easier to renew with a worse one.

    Args:
        challengers: In any order; may be empty, where data were too old to train on.
        champion: None where there is none.
        spec: The rules.
        horizon: Rows that a label spans.
        stale: Business days that the newest row lies behind the night.
    """
    admitted = [one for one in challengers if inadmissible(one, spec) is None]
    share = spec.level / max(1, len(admitted))
    judged = tuple(judge(one, spec, horizon, share) for one in by_rank_ic(challengers))
    due = bool(champion and spec.refresh_after and champion.behind >= spec.refresh_after)
    outcome, chosen = choose(judged, champion, spec, due)
    if stale > spec.max_age:
        outcome, chosen = Outcome.KEPT, None
    reason = None if outcome.moves else why_kept(judged, stale > spec.max_age)
    variant = chosen or best_registrable(judged)
    return Decision(outcome, reason, variant, champion, judged, share, due, stale, spec)


def by_rank_ic(challengers: Sequence[Challenger]) -> list[Challenger]:
    """Highest rank IC first, unknown ones last, equal ones in their order."""
    return sorted(challengers, key=lambda one: -one.rank_ic if one.dates else np.inf)


def inadmissible(one: Challenger, spec: GateSpec) -> Reason | None:
    """Why a challenger is not looked at further: it leaks, could not be audited, covers too little.

    UNKNOWN is not admitted: never clean by default.
    """
    if one.verdict is Verdict.LEAK:
        return Reason.LEAK
    if one.verdict is not Verdict.CLEAN:
        return Reason.NO_CANDIDATE
    return None if one.coverage >= spec.min_coverage else Reason.COVERAGE


def judge(one: Challenger, spec: GateSpec, horizon: int, share: float) -> Judged:
    """Test a challenger against the champion; the first rule that it breaks is its refusal."""
    refusal = inadmissible(one, spec)
    known = Judged(one.variant, one.verdict, one.coverage, one.rank_ic, one.dates, refusal=refusal)
    if one.difference is None:
        return known if one.dates else refused(known, Reason.TOO_FEW_DATES)
    known = replace(known, dates=len(one.difference))
    if known.dates < max(spec.min_dates, LEAST_DATES):
        return refused(known, Reason.TOO_FEW_DATES)
    tested = measured(known, paired(one.difference, horizon), spec, share)
    return tested if tested.better else refused(tested, Reason.NO_IMPROVEMENT)


def measured(one: Judged, test: Paired, spec: GateSpec, share: float) -> Judged:
    """The challenger with its gain and what the test says of it."""
    (low, high), p = test.interval(share), test.above(spec.least_gain)
    better = p < share
    return replace(
        one, gain=test.gain, low=low, high=high, p=p, p_worse=test.below(0.0), better=better
    )


def refused(one: Judged, reason: Reason) -> Judged:
    """``one`` refused for ``reason`` unless an earlier rule has refused it."""
    return one if one.refusal else replace(one, refusal=reason)


def choose(
    judged: Sequence[Judged], champion: Incumbent | None, spec: GateSpec, due: bool
) -> tuple[Outcome, str | None]:
    """The outcome and who takes the champion's place, data being fresh."""
    free = [one for one in judged if one.refusal is None]
    if champion is None:
        return (Outcome.FIRST, free[0].variant) if free else (Outcome.KEPT, None)
    if free:
        return Outcome.PROMOTED, max(free, key=lambda one: one.gain).variant
    level = [
        one for one in judged if one.refusal is Reason.NO_IMPROVEMENT and one.p_worse >= spec.level
    ]
    if due and level:
        return Outcome.RENEWED, max(level, key=lambda one: one.gain).variant
    return Outcome.KEPT, None


def why_kept(judged: Sequence[Judged], stale: bool) -> Reason:
    """The reason that stood in the way.

    That of a challenger whose gain passes its test but which is not admitted; else that of the
    best admitted one; where none was admitted, that of the one with the highest rank IC.
    """
    if stale:
        return Reason.STALE_DATA
    barred = [one for one in judged if one.better]
    admitted = [one for one in judged if one.refusal not in BARRED]
    first = next(iter([*barred, *admitted, *judged]), None)
    return (first.refusal if first else None) or Reason.NO_CANDIDATE


def best_registrable(judged: Sequence[Judged]) -> str | None:
    """Who is registered beside the champion: the best that does not leak, admitted ones first."""
    fit = [one for one in judged if one.verdict is not Verdict.LEAK]
    ranked = sorted(fit, key=lambda one: one.refusal in BARRED)
    return ranked[0].variant if ranked else None
