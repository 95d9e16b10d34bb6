"""The gate: from evidence on challengers and champion to a decision. It has no side effects."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.operate.retraining.decision import (
    NOT_ADMITTED,
    Challenger,
    Decision,
    Incumbent,
    Outcome,
    Reason,
    TestedChallenger,
)
from foldproof.tasks.operate.retraining.tested_dates import Evidence
from foldproof.tasks.operate.spec import GateSpec
from foldproof.tasks.statistics.sequential_test import (
    block_slices,
    conclusive,
    detectable,
    exceeds,
    fewest_dates,
    lower_bound,
    spent_level,
)


def decide(
    challengers: Sequence[Challenger],
    champion: Incumbent | None,
    spec: GateSpec,
    horizon: int,
    stale: int,
    newest: date,
    past: Evidence,
) -> Decision:
    """Decide whether a challenger replaces the champion.

    A challenger is admitted if its audit is CLEAN and it forecasts enough of the universe. Without
    a champion, the admitted challenger with the highest mean rank IC becomes champion. Otherwise a
    challenger is promoted if its daily rank IC exceeds the champion's significantly by more than
    ``least_gain``; if several do, the largest gain wins. A champion that is due for renewal is
    replaced by the admitted challenger with the largest gain among those that are significantly
    above a loss of ``renewal_margin``: a test of non-inferiority.

    The level holds for a year, however often the gate is asked. Each date is tested once, against
    one champion, and spends the same part of the level, divided among the challengers admitted that
    night. So a champion as good as all challengers is replaced by a promotion with probability
    ``level`` at most in any 252 tested dates, even if it changes in between. The test is
    :func:`~foldproof.tasks.statistics.sequential_test.exceeds`. It assumes that the difference of
    two equally good models over a block of dates has a symmetric distribution, given all labels
    known before the block.

    .. warning::

        A champion that is better than a challenger for months and worse for months violates the
        assumption, because its differences depend on each other beyond the overlap of labels.

    Args:
        challengers: In any order; empty if the data were too old to train on.
        champion: None if there is none.
        spec: The rules.
        horizon: Rows that a label spans.
        stale: Business days from the newest row to the night.
        newest: The newest row.
        past: The dates tested on earlier nights.
    """
    admitted = [one for one in challengers if inadmissible(one, spec) is None]
    share = spec.level / max(1, len(admitted))
    needed = max(spec.min_dates, fewest_dates(share, horizon))
    evidence = past.against(champion.version if champion else "")
    ranked = sorted(challengers, key=lambda one: -one.rank_ic if one.dates else np.inf)
    fresh = {one.variant: untested(one, evidence, share) for one in ranked}
    tested = tuple(
        tested_challenger(one, rows_of(evidence, fresh, one.variant), spec, horizon, share, needed)
        for one in ranked
    )
    due = bool(champion and spec.refresh_after and champion.behind >= spec.refresh_after)
    outcome, chosen = choose(tested, champion, due)
    if stale > spec.max_age:
        outcome, chosen = Outcome.KEPT, None
    reason = None if outcome.moves else why_kept(tested, stale > spec.max_age)
    variant = chosen or best_registrable(tested)
    after = evidence.with_night([fresh[one.variant] for one in admitted], newest, outcome.moves)
    return Decision(
        outcome, reason, variant, champion, tested, share, needed, due, stale, spec, after
    )


def untested(one: Challenger, evidence: Evidence, share: float) -> pd.DataFrame:
    """A challenger's rows on dates that were not tested before."""
    if one.difference is None:
        return evidence.rows.iloc[:0]
    return evidence.untested(one.difference).assign(variant=one.variant, level=share)


def rows_of(evidence: Evidence, fresh: dict[str, pd.DataFrame], variant: str) -> pd.DataFrame:
    """All tested rows of a variant, tonight's included."""
    return pd.concat([evidence.of(variant), fresh[variant]], ignore_index=True)


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
    one: Challenger, rows: pd.DataFrame, spec: GateSpec, horizon: int, share: float, needed: int
) -> TestedChallenger:
    """Test a challenger against the champion; the first rule that it breaks is its refusal.

    Args:
        one: The challenger.
        rows: Its tested dates, tonight's included.
        spec: The rules.
        horizon: Rows that a label spans.
        share: Its yearly level.
        needed: Dates that a test needs.
    """
    barred = inadmissible(one, spec)
    if one.difference is None:
        return TestedChallenger(
            **vars(one), refusal=barred or (None if one.dates else Reason.TOO_FEW_DATES)
        )
    tested = TestedChallenger(**vars(one) | {"dates": len(rows)}, refusal=barred)
    parts = block_slices(rows["date"].to_numpy(), rows["known"].to_numpy())
    spent = spent_level(rows["level"].to_numpy(), parts)
    if len(rows) < needed or not conclusive(spent):
        return replace(tested, refusal=barred or Reason.TOO_FEW_DATES)
    daily = rows["difference"].to_numpy()
    values = np.array([daily[part].mean() for part in parts])
    better = exceeds(values, spent, spec.least_gain)
    return replace(
        tested,
        gain=float(values.mean()),
        low=lower_bound(values, spent),
        detectable=spec.least_gain + detectable(share, horizon) * float(values.std(ddof=1)),
        better=better,
        not_worse=exceeds(values, spent, -spec.renewal_margin),
        refusal=barred or (None if better else Reason.NO_IMPROVEMENT),
    )


def choose(
    tested: Sequence[TestedChallenger], champion: Incumbent | None, due: bool
) -> tuple[Outcome, str | None]:
    """The outcome and the challenger that replaces the champion, on fresh data."""
    free = [one for one in tested if one.refusal is None]
    if champion is None:
        return (Outcome.FIRST, free[0].variant) if free else (Outcome.KEPT, None)
    if free:
        return Outcome.PROMOTED, max(free, key=lambda one: one.gain).variant
    not_worse = [one for one in tested if one.refusal is Reason.NO_IMPROVEMENT and one.not_worse]
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
