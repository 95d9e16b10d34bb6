"""A dial of the lab: a leak whose share or size is turned down until a test no longer sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from foldproof.tasks.diagnose.findings.finding import Finding, Verdict

CHANCE_WANTED = 0.95
"""Detection rate from which on a leak counts as one that the test detects."""


@dataclass(frozen=True)
class Dial:
    """A leak of adjustable strength, before one test.

    Attributes:
        key: Its name.
        test: Key of DIAGNOSTICS.
        turned: What is turned down, with its unit.
        levels: Positions, the strongest leak first; the last may be the honest one.
        found: (level, seed) -> what the test finds on that leak, planted by that seed.
        chance: Level -> expected detection rate, where it is known; else None.
        honest: The level at which nothing leaks; None where the axis has none.
        at: What else the leak's strength depends on: sizes of the market, cuts, panels.
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
        """Whether the test says LEAK."""
        return self.found(level, seed).verdict is Verdict.LEAK


def by_key(*dials: Dial) -> Mapping[str, Dial]:
    """``dials`` by their key.

    Raises:
        ValueError: A key stands twice.
    """
    found = {dial.key: dial for dial in dials}
    if len(found) < len(dials):
        raise ValueError(f"each dial needs a key of its own; there are {len(dials)} dials")
    return MappingProxyType(found)


def any_of(cuts: int) -> Callable[[float], float]:
    r"""The chance that one of ``cuts`` random cuts falls on a share p of dates.

    .. math:: 1 - (1 - p)^K
    """
    return lambda share: 1 - (1 - share) ** cuts


def mixing(rank_ic: float) -> tuple[float, float]:
    r"""Weights of the truth and of noise, all standard normal, that make a score of this rank IC.

    .. math:: \rho = 2 \sin(\pi \rho_S / 6)

    is the linear correlation of normal variables whose rank correlation is rho_S (Pearson 1907).
    """
    linear = 2 * np.sin(np.pi * rank_ic / 6)
    return float(linear), float(np.sqrt(1 - linear**2))
