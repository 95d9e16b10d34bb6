"""Do forecasts move when later rows change? End to end, for any library's model."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from tasks.diagnose.cuts import choose_rows
from tasks.diagnose.features import checked_data
from tasks.diagnose.finding import Finding, Inflation, LeakReport, Verdict
from tasks.diagnose.invariance import Change, Ground, answer, observe
from tasks.diagnose.measure import day
from tasks.diagnose.perturb import checked_names, schedule
from tasks.diagnose.pipeline import diagnose_plan
from tasks.diagnose.replay import honest_scores, inflation
from tasks.diagnose.subject import Forecast, Subject
from tasks.split import Fold

TRACED_CUTS, UNTRACED_CUTS = 20, 4
"""Dates to cut at by default: with a trained model to score with, and training at each cut."""
TRACED_REPLAYS, UNTRACED_REPLAYS = 60, 6
"""Test dates that are replayed at most to tell what a leak is worth."""
TRAIN_CHANGES = ("noise", "flip")
"""What is done to the future of training where training is traced."""


def audit_forecaster(
    forecast: Forecast,
    data: pd.DataFrame,
    fold: Fold,
    *,
    cuts: int | None = None,
    seed: int = 0,
    perturbations: tuple[str, ...] = ("noise", "missing", "truncate", "flip"),
    tolerance: float | None = None,
    known_at: Mapping[str, str] = MappingProxyType({}),
    embargo: int = 0,
    target: Callable[[pd.DataFrame], pd.Series] | None = None,
    horizon: int = 1,
) -> LeakReport:
    """Change what is dated after a cut, train and forecast anew, and see whether forecasts move.

    The first cut is the first test date: all that comes after training and validation changes
    there, so that its forecasts show whether training saw it. The other cuts lie in the test
    block. A forecaster that marks its stages on a :class:`Trace` learns where a leak enters, and,
    where it marks its training, is audited for the price of about three trainings; one that does
    not trains anew at every cut.

    Args:
        forecast: Trains on the fold's training and validation dates and returns scores, indexed
            (date, symbol), on its test dates. It gets copies. Seed it: it must repeat.
        data: Long rows with ``date``, ``symbol`` and whatever the model reads, labels too.
        fold: Its calendar is that of ``data``.
        cuts: Dates to cut at, the first test date included; 20 where training is traced, else 4.
        seed: Of cuts and changes.
        perturbations: Keys of PERTURBATIONS: the first at every cut, the others in turn. One that
            the model cannot stand, such as missing values, is reported and does not count.
        tolerance: Moves up to this many cross-sectional sd of the forecasts are rounding; by
            default 1e-9, and 1e-5 for forecasts in float32.
        known_at: Columns that are known later than their row's date, such as labels -> the column
            of the date on which they are known. They are changed too where that is after the cut,
            and decide whether the fold is purged.
        embargo: Trading days that must lie between the last label and the block after it.
        target: Rows -> what is forecast, indexed (date, symbol), to tell what a leak is worth;
            by default the traced stage ``target``.
        horizon: Rows that a label spans, for intervals.

    Returns:
        Findings on train invariance, serve invariance, purge and fold order.

    Raises:
        ValueError: Unusable data or scores, or nothing comes after the first test date.
    """
    checked_names(perturbations)
    checked_data(data, 1 if cuts is None else cuts, known_at)
    ground = Ground.of(Subject(forecast, fold), data, known_at, seed, tolerance)
    wanted = cuts or (TRACED_CUTS if ground.traced else UNTRACED_CUTS)
    first, *others = dates_to_cut(data, ground.base.scores, wanted, seed)
    ways = TRAIN_CHANGES if ground.traced else perturbations
    places = [(others[place], name) for place, name in schedule(len(others), perturbations)]
    found = invariances(ground, [(first, name) for name in ways], places)
    found += plan_findings(data, fold, known_at, embargo)
    return LeakReport("forecaster", tuple(worth(found, ground, target, horizon)))


def invariances(ground: Ground, training: list[Change], serving: list[Change]) -> list[Finding]:
    """The findings on training and on serving; run twice on the same data only if need be."""
    tests = [("train_invariance", training, True), ("serve_invariance", serving, False)]
    seen = [(test, observe(ground, plan, again)) for test, plan, again in tests if plan]
    moved = any(one.worst.value > ground.rounding or one.entry for _, one in seen)
    rerun = ground.noise() if moved else 0.0
    return [answer(test, one, ground, rerun) for test, one in seen]


def worth(
    found: list[Finding],
    ground: Ground,
    target: Callable[[pd.DataFrame], pd.Series] | None,
    horizon: int,
) -> list[Finding]:
    """``found``, each leak with what it is worth, where there is a target to tell it by."""
    if all(finding.verdict is not Verdict.LEAK for finding in found):
        return found
    price = price_of(ground, target, horizon)
    return [
        replace(finding, inflation=price) if finding.verdict is Verdict.LEAK else finding
        for finding in found
    ]


def price_of(
    ground: Ground, target: Callable[[pd.DataFrame], pd.Series] | None, horizon: int
) -> Inflation | None:
    """Reported less honest rank IC on evenly spread test dates, or None without a target."""
    table = ground.base.trace.table("target")
    if target is None and table is None:
        return None
    labels = target(ground.data) if target is not None else table.column(table.columns[0])  # type: ignore[union-attr]
    scored = np.unique(ground.base.scores.index.get_level_values(0).to_numpy())
    most = TRACED_REPLAYS if ground.traced else UNTRACED_REPLAYS
    dates = scored[np.unique(np.linspace(0, len(scored) - 1, most).round().astype(int))]
    honest = honest_scores(ground.subject, ground.data, dates, ground.known_at, ground.traced)
    return inflation(ground.base.scores, honest, labels, dates, horizon)


def dates_to_cut(
    data: pd.DataFrame, scores: pd.Series, count: int, seed: int
) -> list[np.datetime64]:
    """The first scored date, then up to ``count`` - 1 later ones that have rows after them.

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
    rows = choose_rows(dates, range(first + 1, last + 1), count - 1, seed)
    return list(dates[[first, *rows]])


def plan_findings(
    data: pd.DataFrame, fold: Fold, known_at: Mapping[str, str], embargo: int
) -> list[Finding]:
    """Purge and order of the fold; purging is known only if it is known when labels end."""
    ends = label_ends(data, fold.calendar, known_at) if known_at else None
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
