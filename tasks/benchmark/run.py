"""Accuracy of the audit: recall on leaks, false alarms on honest pipelines, each test alone."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.case import Case
from foldproof.tasks.benchmark.cases import CASES, HONEST_CASES, LEAKS
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Size, Verdict


@dataclass(frozen=True)
class Outcome:
    """The result of the audit of a case on one market.

    Attributes:
        case: Its key.
        seed: Seed of the market.
        verdict: The verdict of the audit.
        caught: (test, stage) of every LEAK that counts.
        alone: Tests that report a LEAK, including those that inform only.
        rounding: Tests whose result moved within rounding.
        ahead: Longest look-ahead of a leak's finding in trading days; 0 for none.
        inflation: Rank IC in excess of an honest replay, with the ends of its interval; NaN if
            nothing leaks.
        seconds: CPU seconds of the audit.
    """

    case: str
    seed: int
    verdict: Verdict
    caught: tuple[tuple[str, str], ...]
    alone: tuple[str, ...]
    rounding: tuple[str, ...]
    ahead: int
    inflation: tuple[float, float, float]
    seconds: float

    @property
    def right(self) -> bool:
        """Whether a leak is caught at its stage, or an honest pipeline is not flagged."""
        case = CASES[self.case]
        if not case.leaks:
            return self.verdict is not Verdict.LEAK
        return any(stage.startswith(case.stages) for _, stage in self.caught)


def chosen_cases(names: Sequence[str]) -> list[str]:
    """Keys of the named cases, or of all without names; ``catalogue`` means its 42 cases.

    Raises:
        ValueError: There is no such case.
    """
    catalogue = (*LEAKS, *HONEST_CASES)
    keys = [
        key for name in names or CASES for key in (catalogue if name == "catalogue" else [name])
    ]
    for key in keys:
        if key not in CASES:
            raise ValueError(f"no case {key!r}; there are catalogue, {', '.join(CASES)}")
    return keys


def outcome(case: Case, seed: int, **options: object) -> Outcome:
    """Audit ``case`` on the market drawn with ``seed``."""
    start = time.process_time()
    report = case.audit(seed, **options)
    spent = time.process_time() - start
    leaks = [f for f in report.findings if f.verdict is Verdict.LEAK]
    prices = (f.inflation for f in leaks if f.inflation is not None)
    price = next((one for one in prices if one.measured), None)
    return Outcome(
        case=case.key,
        seed=seed,
        verdict=report.verdict,
        caught=tuple((f.test, f.stage) for f in leaks if f.counts),
        alone=tuple(dict.fromkeys(f.test for f in leaks)),
        rounding=tuple(f.test for f in report.findings if f.size in (Size.BITS, Size.ROUNDING)),
        ahead=max((f.ahead or 0 for f in leaks), default=0),
        inflation=(price.value, price.low, price.high) if price else (np.nan, np.nan, np.nan),
        seconds=spent,
    )


def by_case(found: Iterable[Outcome]) -> pd.DataFrame:
    """One row per case: how often it was right, which tests caught it, its inflation and cost."""
    rows = []
    for key, group in grouped(found).items():
        case = CASES[key]
        tests = dict.fromkeys(t for one in group for t, _ in one.caught)
        inflation = [one.inflation[0] for one in group if np.isfinite(one.inflation[0])]
        rows.append(
            {
                "case": key,
                "title": case.title,
                "stage": " or ".join(case.stages) or "clean",
                "right": f"{sum(one.right for one in group)}/{len(group)}",
                "caught by": ", ".join(tests),
                "days ahead": max(one.ahead for one in group) or "",
                "inflation": f"{np.mean(inflation):+.3f}" if inflation else "",
                "seconds": round(float(np.mean([one.seconds for one in group])), 1),
            }
        )
    return pd.DataFrame(rows)


def by_test(found: Sequence[Outcome]) -> pd.DataFrame:
    """One row per test: how many leaks it detects alone, and how many honest pipelines it flags."""
    leaks, clean = _leaks_and_honest(found)
    rows = []
    for key, entry in DIAGNOSTICS.items():
        caught, flagged = (sum(key in one.alone for one in some) for some in (leaks, clean))
        if caught or flagged:
            rows.append(
                {
                    "test": entry.title,
                    "leaks caught alone": f"{caught}/{len(leaks)}",
                    "honest flagged": f"{flagged}/{len(clean)}",
                }
            )
    return pd.DataFrame(rows)


def grouped(found: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes by case, in the order of the cases and seeds."""
    ordered = sorted(found, key=lambda one: ([*CASES].index(one.case), one.seed))
    return {key: list(group) for key, group in groupby(ordered, lambda one: one.case)}


def summary(found: Sequence[Outcome]) -> str:
    """Recall, false alarms and CPU time, one sentence each."""
    leaks, clean = _leaks_and_honest(found)
    kinds = {
        "catalogue": [one for one in leaks if one.case in LEAKS],
        "further": [one for one in leaks if one.case not in LEAKS],
    }
    lines = [
        f"{sum(one.right for one in some)} of {len(some)} audits of the {name} leaks caught, by a "
        "test that names the stage"
        for name, some in kinds.items()
        if some
    ]
    if clean:
        lines.append(
            f"{sum(not one.right for one in clean)} of {len(clean)} audits of honest pipelines "
            f"flagged; in {sum(bool(one.rounding) for one in clean)} of them results moved by "
            "rounding, which was reported as rounding"
        )
    seconds = sum(one.seconds for one in found)
    return "\n".join([*lines, f"{seconds:.0f} CPU seconds, {seconds / len(found):.1f} per audit"])


def _leaks_and_honest(found: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes of leaks, and the outcomes of honest pipelines."""
    leaks = [one for one in found if CASES[one.case].leaks]
    return leaks, [one for one in found if not CASES[one.case].leaks]
