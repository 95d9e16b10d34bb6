"""A dial: a leak whose share or size is reduced until a test no longer detects it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foldproof.tasks.diagnose.findings.finding import Finding, Verdict

POWER = 0.95
"""Detection rate above which a leak counts as detected."""


@dataclass(frozen=True)
class Dial:
    """A leak of adjustable strength for one test.

    Attributes:
        key: Its name.
        test: Key of DIAGNOSTICS.
        turned: The quantity that is reduced, with its unit.
        levels: Strengths, the strongest first; the last may be honest.
        found: (level, seed) -> the finding of the test on a leak of that strength.
        chance: Level -> expected detection rate, where a closed form is known.
        honest: The level at which nothing leaks; None if there is none.
        at: Conditions that the power depends on: size of the market, cuts, panels.
    """

    key: str
    test: str
    turned: str
    levels: tuple[float, ...]
    found: Callable[[float, int], Finding]
    chance: Callable[[float], float] | None = None
    honest: float | None = 0.0
    at: str = ""

    @property
    def number(self) -> str:
        """The first word of its key, which dials of one test share."""
        return self.key.split()[0]

    def caught(self, level: float, seed: int) -> bool:
        """Whether the test reports a LEAK."""
        return self.found(level, seed).verdict is Verdict.LEAK


def any_of(cuts: int) -> Callable[[float], float]:
    r"""The chance that one of ``cuts`` random cuts falls on a share p of dates.

    .. math:: 1 - (1 - p)^K
    """
    return lambda share: 1 - (1 - share) ** cuts


def mixing(rank_ic: float) -> tuple[float, float]:
    r"""Weights of the truth and of noise, both standard normal, for a score of this rank IC.

    .. math:: \rho = 2 \sin(\pi \rho_S / 6)

    is the linear correlation of normal variables with rank correlation rho_S (Pearson 1907).
    """
    linear = 2 * np.sin(np.pi * rank_ic / 6)
    return float(linear), float(np.sqrt(1 - linear**2))
