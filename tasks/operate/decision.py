"""What a retraining is decided on, and what the decision is."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.operate.spec import GateSpec

NAN = float("nan")


class Outcome(StrEnum):
    """What a retraining comes to."""

    FIRST = "first"
    PROMOTED = "promoted"
    RENEWED = "renewed"
    KEPT = "kept"

    @property
    def moves(self) -> bool:
        """Whether there is a new champion."""
        return self is not Outcome.KEPT


class Reason(StrEnum):
    """Why a challenger does not take the champion's place."""

    LEAK = "leak"
    NO_CANDIDATE = "no_candidate"
    COVERAGE = "coverage"
    TOO_FEW_DATES = "too_few_dates"
    NO_IMPROVEMENT = "no_improvement"
    STALE_DATA = "stale_data"


BARRED = frozenset({Reason.LEAK, Reason.NO_CANDIDATE, Reason.COVERAGE})
"""Refusals that no gain makes up for."""


@dataclass(frozen=True)
class Incumbent:
    """The champion that challengers are held against.

    Attributes:
        version: In the model registry.
        variant: Key of its variant.
        behind: Trading dates from its first date out of sample to the newest fold's: how much
            more recent a challenger's training is.
        rank_ic: Its mean daily rank IC on the stretch, out of its sample; NaN where not known.
    """

    version: str
    variant: str
    behind: int
    rank_ic: float = NAN


@dataclass(frozen=True, eq=False)
class Challenger:
    """What is known of a newly trained model.

    Attributes:
        variant: Key of its variant.
        verdict: Of its leak audit.
        coverage: Share of the universe's rows of the stretch that it forecasts.
        rank_ic: Mean daily rank IC on its whole stretch; NaN where no label is known.
        dates: Dates of that mean.
        difference: (D,) daily rank IC less the champion's, on the dates and symbols that both
            forecast out of sample and whose labels are known; None where there is no champion.
    """

    variant: str
    verdict: Verdict
    coverage: float
    rank_ic: float
    dates: int
    difference: np.ndarray | None = None


@dataclass(frozen=True)
class Judged:
    """A challenger and what the gate says of it.

    Attributes:
        variant: Key of its variant.
        verdict: Of its leak audit.
        coverage: As in :class:`Challenger`.
        rank_ic: As in :class:`Challenger`.
        dates: Dates that the gain is measured on; those of the rank IC where there is no champion.
        gain: Mean daily rank IC less the champion's; NaN where that is not known.
        low: Lower end of the gain's interval, each side at the challenger's share of the level.
        high: Upper end.
        p: One-sided, of a gain of at most ``least_gain``.
        p_worse: One-sided, of a gain of at least 0.
        better: Whether the gain passes its test, whatever else is held against it.
        refusal: Why it does not take the champion's place; None for one that may.
    """

    variant: str
    verdict: Verdict
    coverage: float
    rank_ic: float
    dates: int
    gain: float = NAN
    low: float = NAN
    high: float = NAN
    p: float = NAN
    p_worse: float = NAN
    better: bool = False
    refusal: Reason | None = None


@dataclass(frozen=True)
class Decision:
    """What the gate decides.

    Attributes:
        outcome: Of the retraining.
        reason: Why the champion is kept; None where there is a new one.
        variant: The challenger that is registered: the new champion's, else the best that does
            not leak; None where there is none.
        champion: The incumbent; None where there was none.
        judged: Every challenger, highest rank IC first.
        share: Level of each challenger's test.
        due: Whether the champion was due for renewal.
        stale: Business days that the newest row lies behind the night.
        spec: The rules.
    """

    outcome: Outcome
    reason: Reason | None
    variant: str | None
    champion: Incumbent | None
    judged: tuple[Judged, ...]
    share: float
    due: bool
    stale: int
    spec: GateSpec

    @property
    def admitted(self) -> int:
        """Challengers among whom the level is shared."""
        return sum(one.refusal not in BARRED for one in self.judged)

    def of(self, variant: str) -> Judged:
        """What the gate says of one challenger."""
        return next(one for one in self.judged if one.variant == variant)
