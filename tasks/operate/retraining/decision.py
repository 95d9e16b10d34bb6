"""The evidence that the gate decides on, and its decision."""

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.operate.retraining.tested_dates import Evidence
from foldproof.tasks.operate.spec import GateSpec

NAN = float("nan")


class Outcome(StrEnum):
    """Result of a retraining."""

    FIRST = "first"
    PROMOTED = "promoted"
    RENEWED = "renewed"
    KEPT = "kept"

    @property
    def moves(self) -> bool:
        """Whether there is a new champion."""
        return self is not Outcome.KEPT


class Reason(StrEnum):
    """Why a challenger does not replace the champion."""

    LEAK = "leak"
    NO_CANDIDATE = "no_candidate"
    COVERAGE = "coverage"
    TOO_FEW_DATES = "too_few_dates"
    NO_IMPROVEMENT = "no_improvement"
    STALE_DATA = "stale_data"


NOT_ADMITTED = frozenset({Reason.LEAK, Reason.NO_CANDIDATE, Reason.COVERAGE})
"""Refusals that hold whatever the gain."""


@dataclass(frozen=True)
class Incumbent:
    """The champion that challengers are tested against.

    Attributes:
        version: Version in the model registry.
        variant: Key of its variant.
        behind: Trading dates from its first out-of-sample date to that of the newest fold: how
            much more recent the training of a challenger is.
        rank_ic: Its mean daily rank IC on the test blocks, out of its sample; NaN where unknown.
    """

    version: str
    variant: str
    behind: int
    rank_ic: float = NAN


@dataclass(frozen=True, eq=False)
class Challenger:
    """Evidence on a newly trained model.

    Attributes:
        variant: Key of its variant.
        verdict: Verdict of its leak audit.
        coverage: Share of the universe's rows in the test blocks that it forecasts.
        rank_ic: Mean daily rank IC on its test blocks; NaN where no label is known.
        dates: Number of dates of that mean.
        difference: date, known, difference: daily rank IC less the champion's, on the dates and
            symbols that both forecast out of sample, and the date on which the label became known;
            None where there is no champion.
    """

    variant: str
    verdict: Verdict
    coverage: float
    rank_ic: float
    dates: int
    difference: pd.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class TestedChallenger(Challenger):
    """A challenger with its test against the champion.

    Attributes:
        dates: Number of dates tested since the champion took office; of the rank IC where there is
            no champion.
        gain: Mean daily rank IC less the champion's over the blocks of these dates; NaN if unknown.
        low: Lower bound of the gain that holds at all nights together; NaN if there are too few
            dates for one.
        detectable: Gain that a year of tests finds with a power of 80 %; NaN if unknown.
        better: Whether the gain is significantly above ``least_gain``.
        not_worse: Whether the gain is significantly above -``renewal_margin``.
        refusal: Why it does not replace the champion; None if it may.
    """

    gain: float = NAN
    low: float = NAN
    detectable: float = NAN
    better: bool = False
    not_worse: bool = False
    refusal: Reason | None = None


@dataclass(frozen=True)
class Decision:
    """Decision of the gate.

    Attributes:
        outcome: Result of the retraining.
        reason: Why the champion is kept; None where there is a new one.
        variant: The challenger to register: the new champion, else the best one that does not
            leak; None where there is none.
        champion: The champion before the decision; None where there was none.
        challengers: Every challenger with its test, highest rank IC first.
        share: Yearly level of each challenger's test.
        dates_needed: Dates that a test needs.
        due: Whether the champion is due for renewal.
        stale: Business days from the newest row to the night.
        spec: The rules.
        evidence: The dates tested so far, for the next retraining.
    """

    outcome: Outcome
    reason: Reason | None
    variant: str | None
    champion: Incumbent | None
    challengers: tuple[TestedChallenger, ...]
    share: float
    dates_needed: int
    due: bool
    stale: int
    spec: GateSpec
    evidence: Evidence

    @property
    def admitted(self) -> int:
        """Number of challengers that share the level."""
        return sum(one.refusal not in NOT_ADMITTED for one in self.challengers)

    def of(self, variant: str) -> TestedChallenger:
        """One challenger with its test."""
        return next(one for one in self.challengers if one.variant == variant)
