"""The audit's own marks: recall on planted leaks, false alarms on controls, each test alone."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.case import Case
from foldproof.tasks.benchmark.cases import CASES, LEAKS
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict


@dataclass(frozen=True)
class Outcome:
    """What the audit said of a case on one market.

    Attributes:
        case: Its key.
        seed: Of the market.
        verdict: Of the whole audit.
        caught: (test, stage) of every LEAK that counts.
        alone: Tests that said LEAK, those that inform only included.
        rounding: Tests whose result moved within rounding.
        ahead: Longest look-ahead that a leak's finding names, in trading days; 0 for none.
        inflation: Rank IC reported beyond an honest replay, with the ends of its interval; NaN
            where nothing leaks.
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
        """A leak caught by a test that names its stage; a control that is not flagged."""
        case = CASES[self.case]
        if not case.leaks:
            return self.verdict is not Verdict.LEAK
        return any(stage.startswith(case.stages) for _, stage in self.caught)


def outcome(case: Case, seed: int, **options: object) -> Outcome:
    """Audit ``case`` on the market that ``seed`` draws."""
    start = time.process_time()
    report = case.audit(seed, **options)
    spent = time.process_time() - start
    leaks = [f for f in report.findings if f.verdict is Verdict.LEAK]
    price = next((f.inflation for f in leaks if f.inflation is not None), None)
    return Outcome(
        case=case.key,
        seed=seed,
        verdict=report.verdict,
        caught=tuple((f.test, f.stage) for f in leaks if f.counts),
        alone=tuple(dict.fromkeys(f.test for f in leaks)),
        rounding=tuple(f.test for f in report.findings if rounded(f)),
        ahead=max((f.ahead or 0 for f in leaks), default=0),
        inflation=(price.value, price.low, price.high) if price else (np.nan, np.nan, np.nan),
        seconds=spent,
    )


def rounded(finding: Finding) -> bool:
    """Whether something moved, and no more than rounding explains."""
    return finding.size is not None and 0 < finding.value <= finding.threshold


def by_case(found: Iterable[Outcome]) -> pd.DataFrame:
    """One row a case: how often it was right, what caught it, what it is worth, what it costs."""
    rows = []
    for key, group in grouped(found).items():
        case = CASES[key]
        tests = dict.fromkeys(t for one in group for t, _ in one.caught)
        worth = [one.inflation[0] for one in group if np.isfinite(one.inflation[0])]
        rows.append(
            {
                "case": key,
                "title": case.title,
                "stage": " or ".join(case.stages) or "clean",
                "right": f"{sum(one.right for one in group)}/{len(group)}",
                "caught by": ", ".join(tests),
                "days ahead": max(one.ahead for one in group) or "",
                "inflation": f"{np.mean(worth):+.3f}" if worth else "",
                "seconds": round(float(np.mean([one.seconds for one in group])), 1),
            }
        )
    return pd.DataFrame(rows)


def by_test(found: Sequence[Outcome]) -> pd.DataFrame:
    """One row a test: how many leaks it sees alone, and how many controls it flags."""
    leaks = [one for one in found if CASES[one.case].leaks]
    clean = [one for one in found if not CASES[one.case].leaks]
    rows = []
    for key, entry in DIAGNOSTICS.items():
        seen, flagged = (sum(key in one.alone for one in some) for some in (leaks, clean))
        if seen or flagged:
            rows.append(
                {
                    "test": entry.title,
                    "leaks seen alone": f"{seen}/{len(leaks)}",
                    "controls flagged": f"{flagged}/{len(clean)}",
                }
            )
    return pd.DataFrame(rows)


def grouped(found: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes by case, in the order of the cases."""
    out: dict[str, list[Outcome]] = {}
    for one in sorted(found, key=lambda one: ([*CASES].index(one.case), one.seed)):
        out.setdefault(one.case, []).append(one)
    return out


def summary(found: Sequence[Outcome]) -> str:
    """Recall and false alarms in one sentence each."""
    kinds = {
        "catalogue": [one for one in found if one.case in LEAKS],
        "further": [one for one in found if CASES[one.case].leaks and one.case not in LEAKS],
    }
    clean = [one for one in found if not CASES[one.case].leaks]
    lines = [
        f"{sum(one.right for one in some)} of {len(some)} audits of the {name} leaks caught, by a "
        "test that names the stage"
        for name, some in kinds.items()
        if some
    ]
    if clean:
        flagged = sum(not one.right for one in clean)
        jitter = sum(bool(one.rounding) for one in clean)
        lines.append(
            f"{flagged} of {len(clean)} audits of clean controls flagged; in {jitter} of them "
            "results moved by rounding, which was told as such"
        )
    seconds = sum(one.seconds for one in found)
    return "\n".join([*lines, f"{seconds:.0f} CPU seconds, {seconds / len(found):.1f} an audit"])
