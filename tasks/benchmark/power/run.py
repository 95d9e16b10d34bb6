"""The power of each test: the smallest leak it detects, in share of dates and in size."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.power.data import DATA_DIALS
from foldproof.tasks.benchmark.power.dial import POWER, Dial
from foldproof.tasks.benchmark.power.network import NETWORK_DIALS
from foldproof.tasks.benchmark.power.pipeline import PIPELINE_DIALS
from foldproof.tasks.benchmark.power.rank_ic import RANK_IC_DIALS
from foldproof.tasks.diagnose.findings.catalogue import by_key

DIALS = by_key(
    *PIPELINE_DIALS.values(), *NETWORK_DIALS.values(), *DATA_DIALS.values(), *RANK_IC_DIALS.values()
)
"""Every dial by its key."""


@dataclass(frozen=True)
class Turn:
    """One dial at all its levels on one draw.

    Attributes:
        dial: Its key.
        seed: Seed of market, leak and cuts.
        caught: Whether the test reports a LEAK, level by level.
        seconds: CPU seconds.
    """

    dial: str
    seed: int
    caught: tuple[bool, ...]
    seconds: float


def chosen_dials(names: Sequence[str]) -> list[str]:
    """Keys of the dials with these keys or test numbers (T1), or of all without names.

    Raises:
        ValueError: No dial has such a name.
    """
    keys = [k for k, dial in DIALS.items() if not names or k in names or dial.number in names]
    if not keys:
        tests = ", ".join(dict.fromkeys(dial.number for dial in DIALS.values()))
        raise ValueError(f"no dial of {', '.join(names)}; there are {tests}")
    return keys


def turn(dial: Dial, seed: int) -> Turn:
    """Plant the leak at every level and run the test."""
    start = time.process_time()
    caught = tuple(dial.caught(level, seed) for level in dial.levels)
    return Turn(dial.key, seed, caught, time.process_time() - start)


def rates(found: Iterable[Turn]) -> pd.DataFrame:
    """One row per dial and level: detection rate over the draws, and the expected rate."""
    return pd.DataFrame(
        {
            "test": dial.number,
            "dial": dial.key,
            "reduced": dial.turned,
            "at": dial.at,
            "level": level,
            "draws": len(caught),
            "rate": float(rate),
            "expected": dial.chance(level) if dial.chance else np.nan,
            "honest": level == dial.honest,
        }
        for dial, caught in by_dial(found)
        for level, rate in zip(dial.levels, caught.mean(axis=0), strict=True)
    )


def smallest(found: Iterable[Turn]) -> pd.DataFrame:
    """One row per dial: the weakest leak caught always and in 95 % of draws, and false alarms."""
    rows = []
    for dial, caught in by_dial(found):
        rate = caught.mean(axis=0)
        leaks = np.array([level != dial.honest for level in dial.levels])
        false = caught[:, ~leaks].sum(axis=0)
        rows.append(
            {
                "test": dial.number,
                "leak": dial.turned,
                "at": dial.at,
                "always": weakest(dial.levels, rate, leaks, 1.0),
                "in 95 %": weakest(dial.levels, rate, leaks, POWER),
                "expected 95 %": expected(dial),
                "flagged at 0": f"{false[0]}/{len(caught)}" if len(false) else "",
            }
        )
    return pd.DataFrame(rows)


def weakest(levels: tuple[float, ...], rate: np.ndarray, leaks: np.ndarray, wanted: float) -> str:
    """The last level down to which every leak is caught at the ``wanted`` rate, as text."""
    reached = np.minimum.accumulate(np.asarray(leaks) & (rate >= wanted))
    return f"{levels[reached.sum() - 1]:g}" if reached.any() else "none"


def expected(dial: Dial) -> str:
    """The strength from which the closed form predicts 95 %, by bisection; empty without one."""
    if dial.chance is None:
        return ""
    low, high = 0.0, max(dial.levels)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if dial.chance(middle) >= POWER else (middle, high)
    return f"{high:.2g}"


def by_dial(found: Iterable[Turn]) -> list[tuple[Dial, np.ndarray]]:
    """(draws, levels) bool of the leaks caught, by dial in the order of DIALS."""
    ordered = sorted(found, key=lambda one: ([*DIALS].index(one.dial), one.seed))
    return [
        (DIALS[key], np.array([one.caught for one in group]))
        for key, group in groupby(ordered, lambda one: one.dial)
    ]
