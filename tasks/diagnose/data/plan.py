"""What all variants share: the plan of folds and the features."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.split import Fold, audit_plan

LABELS = ("target", "label_end")
"""The column of ready-made labels and the one that says when each becomes known."""


def diagnose_plan(
    folds: Iterable[Fold], label_end: np.ndarray | None, embargo: int = 0
) -> list[Finding]:
    """Purge, embargo and order of every border of a plan, recomputed from dates.

    Args:
        folds: The plan, from whatever source.
        label_end: (D,) datetime64 of the folds' calendar; NaT is never known in time. None where
            it is not known when labels end: then purging is UNKNOWN, which informs only.
        embargo: Trading days that must lie between the last label and the later block.

    Raises:
        ValueError: There is no fold.
    """
    plan = tuple(folds)
    if not plan:
        raise ValueError("there is no fold to audit")
    if label_end is None:
        return [unknown_purge(plan), order_of(plan)]
    return [*purge_of(plan, label_end, embargo), order_of(plan)]


def purge_of(folds: tuple[Fold, ...], label_end: np.ndarray, embargo: int) -> list[Finding]:
    """Rows whose label reaches into a later block; trading days missing to the embargo."""
    table = audit_plan(folds, label_end, embargo)
    found = []
    kinds = [("overlap", "sum", DIAGNOSTICS["purge"].statistic)]
    if embargo:
        kinds.append(("short", "max", "trading days missing to the embargo [days]"))
    for column, how, statistic in kinds:
        value = float(table[column].agg(how))
        worst = table.iloc[int(table[column].to_numpy().argmax())]
        border = f"fold {worst['fold']}, {worst['border']}"
        found.append(
            Finding(
                test="purge",
                stage="folds",
                verdict=Verdict.LEAK if value > 0 else Verdict.CLEAN,
                evidence="exact",
                statistic=statistic,
                value=value,
                threshold=DIAGNOSTICS["purge"].threshold,
                tested=f"{len(table)} borders of {len(folds)} folds, embargo {embargo}",
                witness=Witness(date=day(worst["earlier_last"]), column=border) if value else None,
                detail=f"worst at {border}: {worst[column]:.0f}; the later block begins on "
                f"{day(worst['later_first'])}"
                if value
                else f"{table['gap'].min()} trading days or more lie between the blocks",
            )
        )
    return found


def unknown_purge(folds: tuple[Fold, ...]) -> Finding:
    """The answer where it is not known when labels end."""
    gaps = [later.start - earlier.stop for fold in folds for earlier, later in borders(fold)]
    return Finding(
        test="purge",
        stage="folds",
        verdict=Verdict.UNKNOWN,
        evidence="it is not known when labels end",
        statistic=DIAGNOSTICS["purge"].statistic,
        value=float("nan"),
        threshold=DIAGNOSTICS["purge"].threshold,
        tested=f"{len(folds)} folds",
        detail=f"{min(gaps, default=0)} trading days lie between the blocks: enough if labels are "
        "known within them; give label_end to test it",
        counts=False,
    )


def borders(fold: Fold) -> list[tuple[range, range]]:
    """Neighbouring blocks of a fold that are not empty, earlier and later."""
    blocks = [block for block in (fold.train, fold.validation, fold.test) if block]
    return list(pairwise(blocks))


def order_of(folds: tuple[Fold, ...]) -> Finding:
    """Dates of a later block that do not lie after the earlier one, and dates forecast twice."""
    wrong: list[tuple[np.datetime64, str]] = []
    seen: dict[np.datetime64, int] = {}
    for fold in folds:
        for earlier, later in borders(fold):
            dates = fold.calendar[list(later)]
            inside = dates[dates <= fold.calendar[list(earlier)].max()]
            wrong += [(date, f"fold {fold.number}: not after the block before") for date in inside]
        for date in fold.test_dates:
            if date in seen:
                wrong.append((date, f"folds {seen[date]} and {fold.number} both forecast it"))
            seen[date] = fold.number
    return Finding(
        test="fold_order",
        stage="folds",
        verdict=Verdict.LEAK if wrong else Verdict.CLEAN,
        evidence="exact",
        statistic=DIAGNOSTICS["fold_order"].statistic,
        value=float(len(wrong)),
        threshold=DIAGNOSTICS["fold_order"].threshold,
        tested=f"{len(seen)} test dates of {len(folds)} folds",
        witness=Witness(date=day(wrong[0][0]), column=wrong[0][1]) if wrong else None,
        detail=wrong[0][1] if wrong else "train, validation, test in this order; each date once",
    )
