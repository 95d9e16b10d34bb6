"""Do forecasts move when later rows change? End to end, for any library's model."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.data.labels import Labels, by_column
from foldproof.tasks.diagnose.data.plan import diagnose_plan
from foldproof.tasks.diagnose.exact import (
    duplicate_findings,
    network_findings,
    point_in_time_findings,
    sample_findings,
    target_findings,
)
from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding, Inflation, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.verdicts import holm
from foldproof.tasks.diagnose.lookahead.controls import require_reading
from foldproof.tasks.diagnose.lookahead.forecasts import Change, answer, observe, selection_finding
from foldproof.tasks.diagnose.lookahead.late_columns import undeclared_findings
from foldproof.tasks.diagnose.perturb.attempt import checked_data
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.diagnose.perturb.cuts import choose_rows
from foldproof.tasks.diagnose.perturb.rows import checked_names, schedule
from foldproof.tasks.diagnose.statistical.battery import Known, data_statistics, forecast_statistics
from foldproof.tasks.diagnose.statistical.leak_price import honest_scores, inflation
from foldproof.tasks.diagnose.trace.reference_run import ReferenceRun
from foldproof.tasks.diagnose.trace.run import BoundForecaster, Forecast
from foldproof.tasks.split import Fold

TRACED_CUTS, UNTRACED_CUTS, QUICK_CUTS = 20, 4, 3
"""Dates to cut at by default: with a trained model to score with; training at each cut; quick."""
TRACED_REPLAYS, UNTRACED_REPLAYS, QUICK_REPLAYS = 13, 6, 7
"""Test dates that are replayed at most to tell what a leak is worth, evenly spread. Labels of
neighbouring dates overlap, so that more would cost much and tell little: 13 dates of a quarter lie
a week apart."""
TRAIN_CHANGES = ("noise", "truncate")
"""What is done to the future of training where training is traced: noise first, for it changes
the labels of the test block too, and what was chosen by them."""


def audit_forecaster(
    forecast: Forecast,
    data: pd.DataFrame,
    fold: Fold,
    *,
    cuts: int | None = None,
    seed: int = 0,
    perturbations: tuple[str, ...] = ("noise", "missing", "truncate", "flip"),
    each: int = 2,
    tolerance: float | None = None,
    known_at: Mapping[str, str] = MappingProxyType({}),
    embargo: int = 0,
    target: Labels | str | None = None,
    horizon: int = 1,
    prices: tuple[str, ...] = (),
    placebo: int = 0,
    permutations: int = 0,
    hazard: float | None = None,
    level: float = LEVEL,
    quick: bool = False,
    shared: Iterable[Finding] | None = None,
) -> LeakReport:
    """Change what is dated after a cut, train and forecast anew, and see whether forecasts move.

    The first cut is the first test date: all that comes after training and validation changes
    there, so that its forecasts show whether training saw it. The other cuts lie in the test
    block. A forecaster that marks its stages on a :class:`Trace` (trace/trace.py) learns where
    a leak enters, and is tested stage by stage: samples, duplicates, target, features, network.
    Where it marks its training, serving is tested with the model trained once; one that does not
    trains anew at every cut.

    Args:
        forecast: ``(data, fold)`` or ``(data, fold, trace)``: trains on the fold's training and
            validation dates and returns scores, indexed (date, symbol), on its test dates. It gets
            copies. Seed it: it must repeat.
        data: Long rows with ``date``, ``symbol`` and whatever the model reads, labels too.
        fold: Its calendar is that of ``data``.
        cuts: Dates to cut at, the first test date included; 20 where training is traced, else 4.
        seed: Of cuts and changes.
        perturbations: Keys of PERTURBATIONS: the first at every cut, the others in turn. One that
            the model cannot stand, such as missing values, is reported and does not count.
        each: Changes tried at each cut, 1 (all in turn) or 2; with 1 training is repeated once.
        tolerance: Moves up to this many cross-sectional sd of the forecasts are rounding; by
            default 1e-9, and 1e-5 for forecasts in float32; more where they hardly differ within
            a date, by what their number format resolves.
        known_at: Columns that are known later than their row's date, such as labels -> the column
            of the date on which they are known. They are changed too where that is after the cut,
            and decide whether the fold is purged.
        embargo: Trading days that must lie between the last label and the block after it.
        target: What is forecast: the column that holds it, or rows -> it, indexed (date, symbol),
            which costs less than running the forecaster. By default the traced stage ``target``.
        horizon: Rows that a label spans, for intervals and statistical tests.
        prices: Columns of prices, the close last, of which twins without predictability are made.
        placebo: Twins to train on (the noise placebo); 0 leaves that test out, 5 make it strong.
        permutations: Trainings on permuted labels, where ``target`` is a column; 0 leaves that test
            out, 20 are usual.
        hazard: Share of symbols that end in a year, as known of the universe; None if it is not.
        level: Chance of any false alarm among the statistical tests (Holm).
        quick: Fewer cuts, no statistical test, no test of the network.
        shared: What :func:`data_findings` found with the features and target that this forecaster
            traces too, on these rows and fold: these tests are then not run again.

    Returns:
        One finding a test and stage; each LEAK with what it is worth where the target is known.

    Raises:
        ValueError: Unusable data or scores, or nothing comes after the first test date.
    """
    checked_names(perturbations)
    checked_data(data, 1 if cuts is None else cuts, known_at)
    if data["date"].dt.tz is not None:
        raise ValueError(
            "data['date'] must be without time zone: data['date'].dt.tz_localize(None)"
        )
    column = target if isinstance(target, str) else None
    if column is not None and column not in data:
        raise ValueError(f"target must be a column of the data; {column!r} is none of {[*data]}")
    made = partial(by_column, target) if isinstance(target, str) else target
    ground = ReferenceRun.of(BoundForecaster(forecast, fold), data, known_at, seed, tolerance)
    wanted = cuts or (QUICK_CUTS if quick else TRACED_CUTS if ground.traced else UNTRACED_CUTS)
    first, *others = dates_to_cut(data, ground.base.scores, wanted, seed)
    ways = TRAIN_CHANGES if ground.traced else perturbations
    training = [(first, name) for name in (ways[:1] if each == 1 else ways)]
    serving = [(others[at], name) for at, name in schedule(len(others), perturbations, each)]
    found, rerun = invariances(ground, training, serving)
    found += point_in_time_findings(ground, others, rerun)
    if not any(finding.verdict is Verdict.LEAK for finding in found):
        found += undeclared_findings(ground, first, others, rerun)
    found += plan_findings(ground, embargo)
    labels = labels_of(ground, made)
    known = Known(made, labels, column, horizon, prices, placebo, permutations, hazard, level)
    found += data_findings(ground, known, quick) if shared is None else shared
    if not quick:
        found += network_findings(ground, horizon)
        found += forecast_statistics(ground, known)
    replays = (QUICK_REPLAYS if quick else TRACED_REPLAYS) if ground.traced else UNTRACED_REPLAYS
    priced = worth(list(holm(found, level)), ground, labels, horizon, replays)
    return LeakReport("forecaster", tuple(priced))


def data_findings(ground: ReferenceRun, known: Known, quick: bool) -> list[Finding]:
    """What rows, features and target show by themselves, whatever is learnt from them."""
    found = [*target_findings(ground, known.target), *duplicate_findings(ground)]
    return found if quick else [*found, *data_statistics(ground, known)]


def invariances(
    ground: ReferenceRun, training: list[Change], serving: list[Change]
) -> tuple[list[Finding], float]:
    """The findings on training, choices and serving, and how far two runs on the data differ."""
    trained = observe(ground, training, frozen=True)
    served = observe(ground, serving, frozen=False) if serving else None
    seen = [trained, *([served] if served else [])]
    moved = any(one.worst.value > ground.rounding or one.entry for one in seen)
    rerun = ground.noise() if moved else 0.0
    found = [answer("train_invariance", trained, ground, rerun)]
    found += [answer("serve_invariance", served, ground, rerun)] if served else []
    found = require_reading(found, ground)
    return [*found, *selection_finding(found[0], ground)], rerun


def worth(
    found: list[Finding], ground: ReferenceRun, labels: pd.Series | None, horizon: int, replays: int
) -> list[Finding]:
    """``found``, each leak with what it is worth, where there is a target to tell it by."""
    leaks = [finding for finding in found if finding.verdict is Verdict.LEAK and finding.counts]
    if not leaks or labels is None:
        return found
    early = any(finding.test == "execution" for finding in leaks)
    price = price_of(ground, labels, horizon, early, replays)
    return [replace(f, inflation=price) if f in leaks else f for f in found]


def price_of(
    ground: ReferenceRun, labels: pd.Series, horizon: int, early: bool, replays: int
) -> Inflation | None:
    """Reported less honest rank IC on ``replays`` evenly spread test dates.

    Where the return itself begins too early, what could be earned is that of the next date. Labels
    of the replayed dates overlap less than those of neighbours do, or not at all.
    """
    scored = np.unique(ground.base.scores.index.get_level_values(0).to_numpy())
    places = np.unique(np.linspace(0, len(scored) - 1, replays).round().astype(int))
    spanned = math.ceil(horizon / np.diff(places).min(initial=horizon))  # of the replayed dates
    dates = scored[places]
    honest = honest_scores(ground.subject, ground.data, dates, ground.known_at, ground.traced)
    later = labels.groupby(level=1).shift(-1) if early else None
    return inflation(ground.base.scores, honest, labels, dates, spanned, later)


def labels_of(ground: ReferenceRun, target: Labels | None) -> pd.Series | None:
    """What is forecast on the data, indexed (date, symbol), if it is known."""
    if target is not None:
        return target(ground.data)
    table = ground.base.trace.table("target")
    return table.column(table.columns[0]) if table is not None and table.columns else None


def dates_to_cut(
    data: pd.DataFrame, scores: pd.Series, count: int, seed: int
) -> list[np.datetime64]:
    """The first scored date, the last with rows after it, and others between: ``count`` or less.

    Raises:
        ValueError: Nothing comes after the first scored date.
    """
    dates = np.unique(data["date"].to_numpy())
    first, last = np.searchsorted(dates, scores.index.get_level_values(0)[[0, -1]])
    if first >= len(dates) - 1:
        raise ValueError(
            f"data end on {day(dates[-1])}, the first test date: nothing comes after it that could "
            "be changed; take a fold with a longer test block"
        )
    last = min(last, len(dates) - 2)
    rows = choose_rows(dates, range(first + 1, last), count - 2, seed) if count > 2 else []
    return list(dates[[first, *rows, *([last] if count > 1 and last > first else [])]])


def plan_findings(ground: ReferenceRun, embargo: int) -> list[Finding]:
    """Purge and order: of the traced samples, else of the fold by what is known of its labels."""
    traced = sample_findings(ground, embargo)
    if traced:
        return traced
    known_at, fold = ground.known_at, ground.subject.fold
    ends = label_ends(ground.data, fold.calendar, known_at) if known_at else None
    return diagnose_plan([fold], ends, embargo)


def label_ends(data: pd.DataFrame, calendar: np.ndarray, known_at: Mapping[str, str]) -> np.ndarray:
    """(D,) datetime64[D], when the last label of each date is known; NaT if one never is."""
    ends = calendar.astype("datetime64[D]")
    for column, known in known_at.items():
        rows = data[data[column].notna() & data["date"].isin(calendar)]
        place = np.searchsorted(calendar, rows["date"].to_numpy().astype("datetime64[D]"))
        dates = rows[known].to_numpy().astype("datetime64[D]")
        np.maximum.at(ends, place, dates)  # NaT, never known, prevails
    return ends
