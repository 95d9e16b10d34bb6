"""Columns that end early, as labels do, of which nobody said when they become known."""

from functools import partial

import numpy as np
from pandas.api.types import is_numeric_dtype

from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.lookahead.forecasts import up_to
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import NOISE_MARGIN, day, difference
from foldproof.tasks.diagnose.perturb.rows import KEYS, change_rows
from foldproof.tasks.diagnose.trace.reference_run import ReferenceRun

LATER_CUTS = 2
"""Cuts within the test block at which such columns are changed."""


def undeclared_findings(
    ground: ReferenceRun, first: np.datetime64, others: list[np.datetime64], rerun: float
) -> list[Finding]:
    """UNKNOWN where forecasts read a column sooner than its end allows, and nobody said it is late.

    A label is dated by the day it is made for, and unless ``known_at`` says otherwise a cell is
    taken to be known on its date: a forecaster that reads labels as features, or trains on them up
    to the test block, would be called clean. A label of the next k dates is missing on the newest
    k dates of all symbols, which gives it away; so is a column whose delivery ended early, so this
    is no proof of a leak.

    Args:
        ground: The base run.
        first: The first test date, where training is repeated.
        others: Later cuts.
        rerun: How far two runs on the same data differ.
    """
    lags = {name: lag for name, lag in lags_of(ground).items() if name not in ground.known_at}
    limit = max(ground.rounding, NOISE_MARGIN * rerun)
    for name, lag in lags.items():
        for cut in (first, *others[:: max(1, len(others) // LATER_CUTS)][:LATER_CUTS]):
            if moved_by(ground, name, lag, cut, anew=cut == first) > limit:
                reason = (
                    f"forecasts up to {day(cut)} follow cells of {name!r} of the {lag} dates up to "
                    f"it. That column is missing on the newest {lag} dates of all symbols, as a "
                    "label is that is known so much later: reading it sooner is a leak. Say "
                    f"known_at.{name}=COLUMN, with a column of the dates on which it becomes known"
                )
                return [
                    unknown_finding("point_in_time", "raw data", reason, f"the cells of {name!r}")
                ]
    return []


def lags_of(ground: ReferenceRun) -> dict[str, int]:
    """Columns of numbers that are missing on the newest dates -> on how many of them.

    Only where another column has numbers there, and not where it is missing throughout.
    """
    data, dates = ground.data, ground.dates
    numeric = [name for name in data if name not in KEYS and is_numeric_dtype(data[name])]
    last = {str(n): data.loc[data[n].notna(), "date"].max() for n in numeric}
    lags = {n: len(dates) - 1 - np.searchsorted(dates, to) for n, to in last.items() if to == to}
    return {n: int(lag) for n, lag in lags.items() if lag > 0 and min(lags.values()) == 0}


def moved_by(ground: ReferenceRun, name: str, lag: int, cut: np.datetime64, anew: bool) -> float:
    """How far forecasts up to ``cut`` move when ``name`` changes on its newest ``lag`` dates."""
    place = np.searchsorted(ground.dates, ground.data["date"].to_numpy())
    end = int(np.searchsorted(ground.dates, cut))
    late = {name: (place > end - lag) & (place <= end)}
    none, draw = np.zeros(len(place), dtype=bool), np.random.default_rng(ground.seed)
    changed = change_rows(ground.data, none, "noise", draw, late)
    models = None if anew else ground.base.trace.reusable
    run, _ = attempt(partial(ground.subject.run, changed, models))
    if run is None:
        return 0.0
    before, after = (up_to(one.scores, cut) for one in (ground.base, run))
    return difference(before, after, ground.scale, ground.rounding).value
