"""Purge, embargo and order of a plan of folds, recomputed from dates."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Finding, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding, unknown_finding
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.split import Fold, audit_plan

LABELS = ("target", "label_end")
"""The column of ready-made labels, and the column of the dates on which they become known."""


def diagnose_plan(
    folds: Iterable[Fold], label_end: np.ndarray | None, embargo: int = 0
) -> list[Finding]:
    """The findings on purge, embargo and order at every border of a plan.

    Args:
        folds: The plan, from any source.
        label_end: (D,) datetime64 on the folds' calendar; NaT is never known. None if label ends
            are unknown: the purge is then UNKNOWN, and informs only.
        embargo: Trading days required between the last label and the later block.

    Raises:
        ValueError: There is no fold.
    """
    plan = tuple(folds)
    if not plan:
        raise ValueError("there is no fold to audit")
    if label_end is None:
        return [unknown_purge(plan), order_of_plan(plan)]
    table = audit_plan(plan, label_end, embargo)
    tested = f"{len(table)} borders of {len(plan)} folds, embargo {embargo}"
    found = [border_finding(table, "overlap", float(table["overlap"].sum()), tested)]
    if embargo:
        missing = "trading days missing from the embargo [days]"
        found.append(border_finding(table, "short", float(table["short"].max()), tested, missing))
    return [*found, order_of_plan(plan)]


def border_finding(
    table: pd.DataFrame, column: str, value: float, tested: str, statistic: str | None = None
) -> Finding:
    """The finding on one column of the table of borders; its witness is the worst border."""
    worst = table.iloc[int(table[column].to_numpy().argmax())]
    border = f"fold {worst['fold']}, {worst['border']}"
    return exact_finding(
        "purge",
        "folds",
        value,
        tested,
        leak=f"worst at {border}: {worst[column]:.0f}; the later block begins on "
        f"{day(worst['later_first'])}",
        clean=f"at least {table['gap'].min()} trading days lie between the blocks",
        witness=Witness(date=day(worst["earlier_last"]), column=border) if value else None,
        statistic=statistic,
    )


def unknown_purge(folds: tuple[Fold, ...]) -> Finding:
    """The finding where label ends are unknown."""
    gaps = [later[0] - earlier[-1] - 1 for fold in folds for earlier, later in borders(fold)]
    reason = (
        f"label ends are unknown; {min(gaps, default=0)} trading days lie between the blocks, "
        "which is enough if labels are known within them: give label_end to test it"
    )
    return unknown_finding("purge", "folds", reason, f"{len(folds)} folds", counts=False)


def borders(fold: Fold) -> list[tuple[Sequence[int], Sequence[int]]]:
    """Pairs of neighbouring non-empty blocks of a fold, earlier and later."""
    if not fold.in_order:
        return [(one, other) for _, one, other, _ in fold.borders() if len(one) and len(other)]
    return list(pairwise(block for block in (fold.train, fold.validation, fold.test) if block))


def order_of_plan(folds: tuple[Fold, ...]) -> Finding:
    """The finding on dates of a later block before an earlier one, and dates forecast twice."""
    if not all(fold.in_order for fold in folds):
        return blocks_of_plan(folds)
    wrong: list[tuple[np.datetime64, str]] = []
    forecast_by: dict[np.datetime64, int] = {}
    for fold in folds:
        for earlier, later in borders(fold):
            dates = fold.calendar[list(later)]
            inside = dates[dates <= fold.calendar[list(earlier)].max()]
            wrong += [
                (date, f"fold {fold.number}: not after the previous block") for date in inside
            ]
        for date in fold.test_dates:
            if date in forecast_by:
                wrong.append(
                    (date, f"folds {forecast_by[date]} and {fold.number} both forecast it")
                )
            forecast_by[date] = fold.number
    tested = f"{len(forecast_by)} test dates of {len(folds)} folds"
    clean = "train, validation and test are in order; each date is forecast once"
    return order_finding(wrong, tested, clean)


def blocks_of_plan(folds: tuple[Fold, ...]) -> Finding:
    """The finding on a plan with training rows after test blocks, which has no order to test.

    Training, validation and test of a fold must share no date, and each date must be forecast by
    equally many folds, because paths are made of them.
    """
    wrong: list[tuple[np.datetime64, str]] = []
    for fold in folds:
        times = Counter([*fold.train, *fold.validation, *fold.test])
        twice = sorted(row for row, count in times.items() if count > 1)
        wrong += [(fold.calendar[row], f"fold {fold.number}: in two blocks") for row in twice]
    forecasts = Counter(date for fold in folds for date in fold.test_dates)
    usual = max(forecasts.values(), default=0)
    wrong += [
        (date, f"{count} folds forecast it, others are forecast by {usual}")
        for date, count in sorted(forecasts.items())
        if count < usual
    ]
    tested = f"{len(forecasts)} test dates of {len(folds)} folds"
    clean = (
        "the blocks of a fold share no date; each date is forecast by equally many folds, which "
        "train on later dates too, as the plan intends"
    )
    return order_finding(wrong, tested, clean)


def order_finding(wrong: list[tuple[np.datetime64, str]], tested: str, clean: str) -> Finding:
    """The finding on the order of a plan's blocks; ``wrong`` holds each date and its fault."""
    date, detail = wrong[0] if wrong else (None, "")
    return exact_finding(
        "fold_order", "folds", float(len(wrong)), tested, leak=detail, clean=clean,
        witness=Witness(date=day(date), column=detail) if wrong else None,
    )  # fmt: skip
