"""The gate: from evidence on challengers and champion to a decision. It has no side effects."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.operate.decision import (
    NOT_ADMITTED,
    Challenger,
    Decision,
    Incumbent,
    Outcome,
    Reason,
    TestedChallenger,
)
from foldproof.tasks.operate.spec import GateSpec
from foldproof.tasks.statistics.mean_test import dates_needed, mean_test


def decide(
    challengers: Sequence[Challenger],
    champion: Incumbent | None,
    spec: GateSpec,
    horizon: int,
    stale: int,
) -> Decision:
    """Decide whether a challenger replaces the champion.

    A challenger is admitted if its audit is CLEAN and it forecasts enough of the universe. Without
    a champion, the admitted challenger with the highest mean rank IC becomes champion. Otherwise a
    challenger is promoted if its daily rank IC exceeds the champion's by more than ``least_gain``:
    a one-sided paired test at ``level`` divided by the number admitted (Bonferroni), so that a
    champion as good as all of them is replaced with probability ``level`` at most, however many are
    tried. If several pass, the largest gain wins. A champion that is due for renewal is replaced by
    the admitted challenger with the largest gain whose loss is not significant at ``level``. That
    test is not shared: more challengers must not make it easier to renew with a worse one.

    .. warning::

        ``level`` holds for one night. Retrainings on overlapping test blocks repeat the test, so
        the probability of a false promotion within a year is much higher.

    Args:
        challengers: In any order; empty if the data were too old to train on.
        champion: None if there is none.
        spec: The rules.
        horizon: Rows that a label spans.
        stale: Business days from the newest row to the night.
    """
    admitted = [one for one in challengers if inadmissible(one, spec) is None]
    share, needed = spec.level / max(1, len(admitted)), max(spec.min_dates, dates_needed(horizon))
    ranked = sorted(challengers, key=lambda one: -one.rank_ic if one.dates else np.inf)
    tested = tuple(tested_challenger(one, spec, horizon, share, needed) for one in ranked)
    due = bool(champion and spec.refresh_after and champion.behind >= spec.refresh_after)
    outcome, chosen = choose(tested, champion, spec, due)
    if stale > spec.max_age:
        outcome, chosen = Outcome.KEPT, None
    reason = None if outcome.moves else why_kept(tested, stale > spec.max_age)
    variant = chosen or best_registrable(tested)
    return Decision(outcome, reason, variant, champion, tested, share, needed, due, stale, spec)


def inadmissible(one: Challenger, spec: GateSpec) -> Reason | None:
    """Why a challenger is not admitted: a leak, an inconclusive audit, or too little coverage.

    UNKNOWN is not admitted: nothing is clean by default.
    """
    if one.verdict is Verdict.LEAK:
        return Reason.LEAK
    if one.verdict is not Verdict.CLEAN:
        return Reason.NO_CANDIDATE
    return None if one.coverage >= spec.min_coverage else Reason.COVERAGE


def tested_challenger(
    one: Challenger, spec: GateSpec, horizon: int, share: float, needed: int
) -> TestedChallenger:
    """Test a challenger against the champion; the first rule that it breaks is its refusal."""
    barred = inadmissible(one, spec)
    if one.difference is None:
        return TestedChallenger(
            **vars(one), refusal=barred or (None if one.dates else Reason.TOO_FEW_DATES)
        )
    dates = len(one.difference)
    tested = TestedChallenger(**vars(one) | {"dates": dates}, refusal=barred)
    if dates < needed:
        return replace(tested, refusal=barred or Reason.TOO_FEW_DATES)
    test = mean_test(one.difference, horizon)
    (low, high), p = test.interval(share), test.above(spec.least_gain)
    refusal = barred or (None if p < share else Reason.NO_IMPROVEMENT)
    return replace(
        tested, gain=test.mean, low=low, high=high, p=p, p_worse=test.below(0.0), better=p < share,
        refusal=refusal,
    )  # fmt: skip


def choose(
    tested: Sequence[TestedChallenger], champion: Incumbent | None, spec: GateSpec, due: bool
) -> tuple[Outcome, str | None]:
    """The outcome and the challenger that replaces the champion, on fresh data."""
    free = [one for one in tested if one.refusal is None]
    if champion is None:
        return (Outcome.FIRST, free[0].variant) if free else (Outcome.KEPT, None)
    if free:
        return Outcome.PROMOTED, max(free, key=lambda one: one.gain).variant
    not_worse = [
        one for one in tested if one.refusal is Reason.NO_IMPROVEMENT and one.p_worse >= spec.level
    ]
    if due and not_worse:
        return Outcome.RENEWED, max(not_worse, key=lambda one: one.gain).variant
    return Outcome.KEPT, None


def why_kept(tested: Sequence[TestedChallenger], stale: bool) -> Reason:
    """The reason to keep the champion.

    This is the refusal of a challenger whose gain is significant but which is not admitted.
    Otherwise it is the refusal of the best admitted challenger, or without one, of the challenger
    with the highest rank IC.
    """
    if stale:
        return Reason.STALE_DATA
    barred = [one for one in tested if one.better]
    admitted = [one for one in tested if one.refusal not in NOT_ADMITTED]
    first = next(iter([*barred, *admitted, *tested]), None)
    return (first.refusal if first else None) or Reason.NO_CANDIDATE


def best_registrable(tested: Sequence[TestedChallenger]) -> str | None:
    """The best challenger that does not leak, admitted ones first; None where all leak."""
    fit = [one for one in tested if one.verdict is not Verdict.LEAK]
    ranked = sorted(fit, key=lambda one: one.refusal in NOT_ADMITTED)
    return ranked[0].variant if ranked else None
