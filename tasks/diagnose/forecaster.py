"""Do forecasts move when later rows change? From raw rows to scores, for a model of any library."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose import exact
from foldproof.tasks.diagnose.data.plan import diagnose_plan
from foldproof.tasks.diagnose.findings.catalogue import IN_THE_ROWS
from foldproof.tasks.diagnose.findings.finding import Finding, Inflation, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.verdicts import jointly
from foldproof.tasks.diagnose.lookahead.forecasts import (
    CutChange,
    invariance_finding,
    observe,
    selection_finding,
)
from foldproof.tasks.diagnose.lookahead.late_columns import undeclared_findings
from foldproof.tasks.diagnose.lookahead.reads_its_rows import require_reading
from foldproof.tasks.diagnose.perturb.attempt import checked_data
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.diagnose.perturb.cuts import choose_rows
from foldproof.tasks.diagnose.perturb.keys import checked_dates
from foldproof.tasks.diagnose.perturb.rows import schedule
from foldproof.tasks.diagnose.spec import FULL, AuditOptions, purged_by
from foldproof.tasks.diagnose.statistical.battery import data_statistics, forecast_statistics
from foldproof.tasks.diagnose.statistical.leak_price import honest_scores, inflation
from foldproof.tasks.diagnose.trace.run import BoundForecaster, Forecast, ReferenceRun
from foldproof.tasks.split import Fold


def audit_forecaster(
    forecast: Forecast,
    data: pd.DataFrame,
    fold: Fold,
    options: AuditOptions = FULL,
    *,
    shared: Iterable[Finding] | None = None,
) -> LeakReport:
    """Change all rows after a cut, train and forecast again, and test whether forecasts move.

    The first cut is the first test date: everything after training and validation changes, so the
    forecasts of that date show whether training read it. The other cuts lie in the test block. If
    the forecaster passes its stages through a :class:`Trace` (trace/trace.py), the audit locates
    the stage where a leak enters, and tests samples, duplicates, target, features and network. If
    it traces its training, serving is tested with the model trained once; otherwise it trains again
    at every cut.

    Args:
        forecast: ``(data, fold)`` or ``(data, fold, trace)``: trains on the training and validation
            dates of the fold and returns scores on its test dates, indexed (date, symbol). It gets
            copies. Seed it: two runs must agree.
        data: Long rows with ``date``, ``symbol`` and all columns of the model, labels too.
        fold: Its calendar is that of ``data``.
        options: Facts about the data, and how much to test; ``QUICK`` for the exact tests at few
            cuts.
        shared: Findings of :func:`data_findings` for the features and target of this forecaster on
            the same rows and fold; these tests are then not repeated.

    Returns:
        One finding per test and stage; each LEAK with its effect on rank IC if the target is known.

    Raises:
        ValueError: Unusable data or scores, or no row after the first test date.
    """
    checked_data(data, options.cuts or 1, options.known_at)
    checked_dates(data["date"], "data['date']")
    if isinstance(options.target, str) and options.target not in data:
        raise ValueError(
            f"target must be a column of the data; {options.target!r} is none of {[*data]}"
        )
    reference = ReferenceRun.of(BoundForecaster(forecast, fold), data, options)
    count = options.cuts_for(reference.traced)
    first, *others = dates_to_cut(data, reference.base.scores, count, options.seed)
    training = [(first, name) for name in options.train_changes(reference.traced)]
    plan = schedule(len(others), options.perturbations, options.each)
    found, rerun = invariances(reference, training, [(others[at], name) for at, name in plan])
    found += exact.point_in_time_findings(reference, others, rerun)
    if not any(finding.verdict is Verdict.LEAK for finding in found):
        found += undeclared_findings(reference, first, others, rerun)
    found += plan_findings(reference)
    labels = reference.labels
    found += data_findings(reference) if shared is None else shared
    if not options.quick:
        found += [*exact.network_findings(reference), *forecast_statistics(reference)]
    found = list(jointly(found, options.level))
    return LeakReport("forecaster", tuple(with_inflation(found, reference, labels)))


def data_findings(reference: ReferenceRun) -> list[Finding]:
    """The tests of rows, features and target, which do not depend on the model."""
    found = [*exact.target_findings(reference), *exact.duplicate_findings(reference)]
    return found if reference.options.quick else [*found, *data_statistics(reference)]


def invariances(
    reference: ReferenceRun, training: list[CutChange], serving: list[CutChange]
) -> tuple[list[Finding], float]:
    """The findings on training, serving and choices, and the largest move between identical runs.

    That move is 0 if nothing moved on changed data, since then it is not measured.
    """
    observed = {"train_invariance": observe(reference, training, retrain=True)}
    if serving:
        observed["serve_invariance"] = observe(reference, serving, retrain=False)
    moved = any(one.worst.value > reference.rounding or one.first for one in observed.values())
    rerun = reference.noise() if moved else 0.0
    found = [invariance_finding(test, one, reference, rerun) for test, one in observed.items()]
    found = require_reading(found, reference)
    return [*found, *selection_finding(found[0], reference)], rerun


def with_inflation(
    found: list[Finding], reference: ReferenceRun, labels: pd.Series | None
) -> list[Finding]:
    """``found``, each leak with its effect on rank IC if there are labels to measure it with.

    A leak that is in the rows themselves has none: a replay from the rows of the past has it, too.
    """
    leaks = [
        finding
        for finding in found
        if finding.verdict is Verdict.LEAK and finding.counts and finding.test not in IN_THE_ROWS
    ]
    if not leaks or labels is None:
        return found
    replays = reference.options.replays_for(reference.traced)
    price = price_of(reference, labels, any(f.test == "execution" for f in leaks), replays)
    return [replace(f, inflation=price) if f in leaks else f for f in found]


def price_of(
    reference: ReferenceRun, labels: pd.Series, early: bool, replays: int
) -> Inflation | None:
    """Reported minus honest rank IC on ``replays`` evenly spread test dates.

    Labels of these dates overlap less than those of neighbouring dates, or not at all.

    Args:
        reference: The run on the unchanged data.
        labels: What is forecast, indexed (date, symbol).
        early: Whether the target's return begins too early; the honest target is then that of the
            next date.
        replays: Most test dates to replay.
    """
    horizon, scores = reference.options.horizon, reference.base.scores
    scored = np.unique(scores.index.get_level_values(0).to_numpy())
    places = np.unique(np.linspace(0, len(scored) - 1, replays).round().astype(int))
    spanned = math.ceil(horizon / np.diff(places).min(initial=horizon))  # of the replayed dates
    dates, known_at = scored[places], reference.options.known_at
    honest = honest_scores(reference.bound, reference.data, dates, known_at, reference.traced)
    later = labels.groupby(level=1).shift(-1) if early else None
    return inflation(scores, honest, labels, dates, spanned, later)


def dates_to_cut(
    data: pd.DataFrame, scores: pd.Series, count: int, seed: int
) -> list[np.datetime64]:
    """Up to ``count`` dates: the first scored one, the last with rows after it, others between.

    Raises:
        ValueError: There is no row after the first scored date.
    """
    dates = np.unique(data["date"].to_numpy())
    first, last = np.searchsorted(dates, scores.index.get_level_values(0)[[0, -1]])
    if first >= len(dates) - 1:
        raise ValueError(
            f"data end on {day(dates[-1])}, the first test date, so there is no later row to "
            "change; take a fold with a longer test block"
        )
    last = min(last, len(dates) - 2)
    rows = choose_rows(dates, range(first + 1, last), count - 2, seed) if count > 2 else []
    return list(dates[[first, *rows, *([last] if count > 1 and last > first else [])]])


def plan_findings(reference: ReferenceRun) -> list[Finding]:
    """Purge and order: of the traced samples, else of the fold by when its labels are known."""
    traced = exact.sample_findings(reference)
    if traced:
        return traced
    options, fold = reference.options, reference.bound.fold
    ends = None
    if options.known_at:
        known_at = purged_by(options.known_at, options.target)
        ends = label_ends(reference.data, fold.calendar, known_at)
    return diagnose_plan([fold], ends, options.embargo)


def label_ends(data: pd.DataFrame, calendar: np.ndarray, known_at: Mapping[str, str]) -> np.ndarray:
    """(D,) datetime64[D], when the last label of each date is known; NaT if one never is."""
    ends = calendar.astype("datetime64[D]")
    for column, known in known_at.items():
        rows = data[data[column].notna() & data["date"].isin(calendar)]
        place = np.searchsorted(calendar, rows["date"].to_numpy().astype("datetime64[D]"))
        dates = rows[known].to_numpy().astype("datetime64[D]")
        np.maximum.at(ends, place, dates)  # NaT, never known, prevails
    return ends
