"""The power of each test: the smallest leak, in share of dates and in size, that it detects."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.power.data import DATA_DIALS
from foldproof.tasks.benchmark.power.dial import CHANCE_WANTED, Dial, by_key
from foldproof.tasks.benchmark.power.network import NETWORK_DIALS
from foldproof.tasks.benchmark.power.pipeline import PIPELINE_DIALS
from foldproof.tasks.benchmark.power.rank_ic import RANK_IC_DIALS

DIALS = by_key(
    *PIPELINE_DIALS.values(),
    *NETWORK_DIALS.values(),
    *DATA_DIALS.values(),
    *RANK_IC_DIALS.values(),
)
"""Every dial by its key."""


@dataclass(frozen=True)
class Turn:
    """One dial turned through all its levels on one draw.

    Attributes:
        dial: Its key.
        seed: Of market, leak and cuts.
        caught: Whether the test said LEAK, level by level.
        seconds: CPU seconds.
    """

    dial: str
    seed: int
    caught: tuple[bool, ...]
    seconds: float


def turn(dial: Dial, seed: int) -> Turn:
    """Plant the leak at every level and ask the test."""
    start = time.process_time()
    caught = tuple(dial.caught(level, seed) for level in dial.levels)
    return Turn(dial.key, seed, caught, time.process_time() - start)


def rates(found: Iterable[Turn]) -> pd.DataFrame:
    """One row a dial and level: detection rate over the draws, and the expected one."""
    rows = []
    for dial, caught, _ in by_dial(found):
        for level, rate in zip(dial.levels, caught.mean(axis=0), strict=True):
            rows.append(
                {
                    "test": dial.number,
                    "dial": dial.key,
                    "turned down": dial.turned,
                    "at": dial.at,
                    "level": level,
                    "draws": len(caught),
                    "rate": float(rate),
                    "expected": dial.chance(level) if dial.chance else np.nan,
                    "honest": level == dial.honest,
                }
            )
    return pd.DataFrame(rows)


def smallest(found: Iterable[Turn]) -> pd.DataFrame:
    """One row a dial: the weakest leak caught always, in 95 % of draws, and false alarms."""
    rows = []
    for dial, caught, _ in by_dial(found):
        rate = caught.mean(axis=0)
        leaks = [level != dial.honest for level in dial.levels]
        flagged = [f"{int(n)}/{len(caught)}" for n, leak in zip(caught.sum(0), leaks, strict=True)
                   if not leak]  # fmt: skip
        rows.append(
            {
                "test": dial.number,
                "leak": dial.turned,
                "at": dial.at,
                "always": weakest(dial.levels, rate, leaks, 1.0),
                "in 95 %": weakest(dial.levels, rate, leaks, CHANCE_WANTED),
                "expected 95 %": expected(dial),
                "flagged at 0": flagged[0] if flagged else "",
            }
        )
    return pd.DataFrame(rows)


def weakest(levels: tuple[float, ...], rate: np.ndarray, leaks: list[bool], wanted: float) -> str:
    """The last level down to which every leak is caught at that rate."""
    kept = ""
    for level, reached, leak in zip(levels, rate, leaks, strict=True):
        if not leak or reached < wanted:
            break
        kept = f"{level:g}"
    return kept or "none"


def expected(dial: Dial) -> str:
    """The strength from which the closed form promises 95 %, found by bisection."""
    if dial.chance is None:
        return ""
    low, high = 0.0, max(dial.levels)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if dial.chance(middle) >= CHANCE_WANTED else (middle, high)
    return f"{high:.2g}"


def by_dial(found: Iterable[Turn]) -> list[tuple[Dial, np.ndarray, float]]:
    """Dials in the order of DIALS: (draws, levels) bool of what was caught, CPU seconds."""
    turns: dict[str, list[Turn]] = {}
    for one in sorted(found, key=lambda one: ([*DIALS].index(one.dial), one.seed)):
        turns.setdefault(one.dial, []).append(one)
    return [
        (DIALS[key], np.array([one.caught for one in group]), sum(one.seconds for one in group))
        for key, group in turns.items()
    ]
