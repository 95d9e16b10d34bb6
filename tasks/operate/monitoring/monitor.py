"""Monitoring of a registered model: realised rank IC, drift, and the alerts that they give."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.data import Panel
from foldproof.tasks.operate.feature_drift import stability_indices
from foldproof.tasks.operate.monitoring.importance import agreement, importance_of_rows
from foldproof.tasks.operate.monitoring.realised import RealisedMean, realised, realised_mean
from foldproof.tasks.operate.nightly_inputs import Night
from foldproof.tasks.operate.sessions import sessions_after
from foldproof.tasks.operate.spec import OperationSpec
from foldproof.tasks.statistics.mean_test import dates_needed


@dataclass(frozen=True, eq=False)
class Monitoring:
    """State of the champion on a night.

    Attributes:
        model: Name in the model registry.
        version: Version of the champion.
        variant: Its variant.
        night: The night.
        daily: date, version, rank_ic of all past scores whose labels are known.
        realised: Mean over the champion's newest dates of ``daily``.
        shift: Population stability index by feature, the most moved first.
        importance: Share of each feature in the newest forecasts; empty where unknown.
        reference: The same in training.
        source: Rows that ``reference`` was computed on.
        tau: Kendall's tau of both; NaN where one is unknown.
        alerts: By name, a sentence for each alert.
        missed: Nights in a row, up to this one, without a score; NaN if there is no score at all.
        gap: Nights without a score between the two newest scores.
    """

    model: str
    version: str
    variant: str
    night: date
    daily: pd.DataFrame
    realised: RealisedMean
    shift: pd.Series
    importance: Mapping[str, float]
    reference: Mapping[str, float]
    source: str
    tau: float
    alerts: Mapping[str, str]
    missed: float = 0.0
    gap: int = 0


@dataclass(frozen=True)
class Alarm:
    """One reason for an alert.

    Attributes:
        title: A few words.
        text: From the monitoring and the settings to a sentence; empty if there is no alert.
    """

    title: str
    text: Callable[[Monitoring, OperationSpec], str]


def negative_ic(found: Monitoring, spec: OperationSpec) -> str:
    """Alert if the mean realised rank IC is significantly below zero.

    A model without skill gives an alert on a share ``monitor.level`` of the nights; the dates of
    successive nights overlap, so its alerts come in runs.
    """
    mean, level = found.realised, spec.monitor.level
    if not mean.p < level:
        return ""
    return (
        f"the mean realised rank IC of version {found.version} over its newest {mean.dates} dates "
        f"with labels is {mean.mean:+.4f} ({mean.low:+.4f} to {mean.high:+.4f}), significantly "
        f"negative: p {mean.p:.2g} below operation.monitor.level = {level:g}"
    )


def moved_features(found: Monitoring, spec: OperationSpec) -> str:
    """Alert if the population stability index of a feature exceeds ``monitor.most_shift``.

    The newest dates are ``score.shift_dates``. A slow feature has a large index over few dates.
    """
    limit = spec.monitor.most_shift
    far = found.shift[found.shift > limit] if limit is not None else found.shift[:0]
    if far.empty:
        return ""
    named = ", ".join(f"{name} {value:.2f}" for name, value in far.items())
    return (
        f"the distribution of features differs from training: population stability index {named}, "
        f"above operation.monitor.most_shift = {limit:g}"
    )


def reordered_features(found: Monitoring, spec: OperationSpec) -> str:
    """Alert if the importance of features agrees with training less than ``monitor.least_tau``.

    Features of about equal importance swap ranks by chance.
    """
    if not found.tau < spec.monitor.least_tau:
        return ""
    return (
        f"other features carry the forecasts than in training: Kendall's tau {found.tau:+.2f}, "
        f"below operation.monitor.least_tau = {spec.monitor.least_tau:g}; "
        f"now {top(found.importance)}, in training {top(found.reference)}"
    )


def missing_nights(found: Monitoring, spec: OperationSpec) -> str:
    """Alert if more than ``monitor.most_missed`` nights in a row have no score, or if none has.

    The nights are those up to this one, or, after an outage, those before the newest score.
    """
    limit = spec.monitor.most_missed
    if limit is None or max(found.missed, found.gap) <= limit:
        return ""
    if math.isnan(found.missed):
        return f"no night of {found.model} has a score: run foldproof score"
    which = (
        f"the newest {found.missed:g} nights"
        if found.missed > limit
        else f"the {found.gap} nights between the two newest scores"
    )
    return (
        f"{which} have no score, more than "
        f"operation.monitor.most_missed = {limit}: see why foldproof score did not run, or refused"
    )


def newest_gap(scores: pd.DataFrame, dates: np.ndarray, night: date) -> int:
    """Dates with rows, without a score, between the two newest scores up to ``night``."""
    scored = np.unique(scores.loc[scores["date"] <= pd.Timestamp(night), "date"].to_numpy())
    if len(scored) < 2:
        return 0
    before, newest = scored[-2:].astype("datetime64[D]")
    return int(((dates > before) & (dates < newest)).sum())


def missed_nights(
    scores: pd.DataFrame, dates: np.ndarray, night: date, calendar: str | None = None
) -> float:
    """Nights in a row, up to ``night``, without a score of any version; NaN without any score.

    Dates with rows count as nights, and so do sessions after the newest row.

    Args:
        scores: Past scores, with their date.
        dates: (D,) dates with rows up to the night.
        night: The night.
        calendar: Calendar of the exchange; None for Monday to Friday.
    """
    scored = scores.loc[scores["date"] <= pd.Timestamp(night), "date"]
    if scored.empty:
        return math.nan
    later = int((dates > np.datetime64(scored.max(), "D")).sum())
    newest = dates[-1].astype("datetime64[D]").item()
    return float(later + sessions_after(newest, night, calendar))


def top(importance: Mapping[str, float]) -> str:
    """The three most important features with their shares."""
    ranked = sorted(importance.items(), key=lambda pair: -pair[1])[:3]
    return ", ".join(f"{name} {share:.0%}" for name, share in ranked)


ALARMS: Mapping[str, Alarm] = MappingProxyType({
    "realised": Alarm("realised rank IC", negative_ic),
    "shift": Alarm("drift of features", moved_features),
    "attribution": Alarm("drift of attribution", reordered_features),
    "missing": Alarm("missing nights", missing_nights),
})  # fmt: skip
"""Every alarm, in the order of the report."""


def monitoring_of(
    night: Night, scores: pd.DataFrame, panel: Panel, horizon: int, spec: OperationSpec
) -> Monitoring:
    """The state of the champion on a night, with its alerts.

    Args:
        night: The champion and its rows.
        scores: All past scores of the model: date, symbol, score, version.
        panel: Gives the targets of the rows up to the night.
        horizon: Rows that a label spans.
        spec: The dates to use and the bounds.
    """
    daily = realised(scores, panel, night.when)
    own = daily.loc[daily["version"] == night.champion.version, "rank_ic"].to_numpy(float)
    count = max(spec.monitor.dates, dates_needed(horizon))  # fewer could never alert
    cells = night.cells(spec.score.shift_dates)
    now, then, source = importances(night, spec)
    found = Monitoring(
        model=night.model,
        version=night.champion.version,
        variant=night.champion.variant,
        night=night.when,
        daily=daily,
        realised=realised_mean(own[-count:], horizon, spec.monitor.level),
        shift=stability_indices(night.background.reference, cells, night.rows.features),
        importance=now,
        reference=then,
        source=source,
        tau=agreement(now, then) if now and then else math.nan,
        alerts={},
        missed=missed_nights(scores, night.rows.dates, night.when, night.calendar),
        gap=newest_gap(scores, night.rows.dates, night.when),
    )
    texts = {name: alarm.text(found, spec) for name, alarm in ALARMS.items()}
    return replace(found, alerts={name: text for name, text in texts.items() if text})


def importances(
    night: Night, spec: OperationSpec
) -> tuple[dict[str, float], dict[str, float], str]:
    """Importance of features now and in training, and the rows that the latter was computed on.

    A model that was logged without its importance is attributed on its training windows.
    """
    rows, count = night.rows, spec.monitor.samples
    training = rows.between(*night.background.trained_on)
    newest = range(max(0, len(rows.dates) - spec.monitor.dates), len(rows.dates))
    now = importance_of_rows(night.served, rows, newest, training, count)
    logged = dict(night.background.importance)
    if logged:
        return now, logged, "its test block"
    then = importance_of_rows(night.served, rows, training, training, count)
    return now, then, "its training windows"
