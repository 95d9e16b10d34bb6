"""What monitoring sees of a registered model, and what is reason enough to call somebody."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

import pandas as pd

from foldproof.tasks.data import Panel
from foldproof.tasks.operate.importance import agreement, importance_of_rows
from foldproof.tasks.operate.night import Night
from foldproof.tasks.operate.realised import Worth, realised, worth
from foldproof.tasks.operate.shift import stability_indices
from foldproof.tasks.operate.spec import OperationSpec


@dataclass(frozen=True, eq=False)
class Watch:
    """The champion and all that is known of it by the night.

    Attributes:
        model: Registered name.
        version: Of the champion.
        variant: Its variant.
        night: The night.
        daily: date, version, rank_ic of all past scores whose labels are known.
        worth: Mean over the champion's newest dates of ``daily``.
        shift: Population stability index by feature, the most moved first.
        importance: Share of each feature in the newest forecasts; empty where it is unknown.
        reference: The same in training.
        source: What ``reference`` was found on.
        tau: Kendall's tau of both; NaN where one is unknown.
        alerts: By name, a sentence for each that is beyond its bound.
    """

    model: str
    version: str
    variant: str
    night: date
    daily: pd.DataFrame
    worth: Worth
    shift: pd.Series
    importance: Mapping[str, float]
    reference: Mapping[str, float]
    source: str
    tau: float
    alerts: Mapping[str, str]


@dataclass(frozen=True)
class Alarm:
    """One reason to call somebody.

    Attributes:
        title: A few words.
        meaning: When it goes off, and the trap.
        words: From what is seen and the spec to a sentence; empty while all is well.
    """

    title: str
    meaning: str
    words: Callable[[Watch, OperationSpec], str]


def worthless(seen: Watch, spec: OperationSpec) -> str:
    """Whether the realised rank IC lies significantly below zero."""
    found, level = seen.worth, spec.monitor.level
    if not found.p < level:
        return ""
    return (
        f"the mean realised rank IC of version {seen.version} over its newest {found.dates} dates "
        f"with labels is {found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f}), below zero: "
        f"p {found.p:.2g} below operation.monitor.level = {level:g}"
    )


def moved(seen: Watch, spec: OperationSpec) -> str:
    """Whether a feature's distribution has moved too far from that in training."""
    limit = spec.monitor.most_shift
    far = seen.shift[seen.shift > limit] if limit is not None else seen.shift[:0]
    if far.empty:
        return ""
    named = ", ".join(f"{name} {value:.2f}" for name, value in far.items())
    return (
        f"features are distributed otherwise than in training: population stability index "
        f"{named}, above operation.monitor.most_shift = {limit:g}"
    )


def reordered(seen: Watch, spec: OperationSpec) -> str:
    """Whether other features carry the forecasts than did in training."""
    if not seen.tau < spec.monitor.least_tau:
        return ""
    now, then = (first(which) for which in (seen.importance, seen.reference))
    return (
        f"other features carry the forecasts than in training: Kendall's tau {seen.tau:+.2f}, "
        f"below operation.monitor.least_tau = {spec.monitor.least_tau:g}; now {now}, then {then}"
    )


def first(importance: Mapping[str, float]) -> str:
    """The three most important features with their shares."""
    top = sorted(importance.items(), key=lambda pair: -pair[1])[:3]
    return ", ".join(f"{name} {share:.0%}" for name, share in top)


ALARMS: Mapping[str, Alarm] = MappingProxyType({
    "realised": Alarm(
        "realised rank IC",
        "Mean over the newest dates with labels significantly below zero. A model without skill "
        "sets it off in a share of nights that monitor.level gives; nights overlap.",
        worthless,
    ),
    "shift": Alarm(
        "drift of features",
        "Population stability index of a feature above monitor.most_shift, over score.shift_dates. "
        "A feature that hardly changes from day to day looks moved over few dates.",
        moved,
    ),
    "attribution": Alarm(
        "drift of attribution",
        "Kendall's tau of the importance of features now and in training below "
        "monitor.least_tau. Features of about equal importance change places by chance.",
        reordered,
    ),
})  # fmt: skip
"""What is watched, in the order in which it is told."""


def watch_of(
    night: Night, scores: pd.DataFrame, panel: Panel, horizon: int, spec: OperationSpec
) -> Watch:
    """All that is known of the champion by the night.

    Args:
        night: The champion and its rows.
        scores: All past scores of the model: date, symbol, score, version.
        panel: Targets of the rows up to the night.
        horizon: Rows that a label spans.
        spec: Which dates are looked at, and the bounds.
    """
    daily = realised(scores, panel, night.when)
    own = daily.loc[daily["version"] == night.champion.version, "rank_ic"]
    cells = night.cells(spec.score.shift_dates)
    now, then, source = importances(night, spec)
    seen = Watch(
        model=night.model,
        version=night.champion.version,
        variant=night.champion.variant,
        night=night.when,
        daily=daily,
        worth=worth(own.to_numpy(float)[-spec.monitor.dates :], horizon, spec.monitor.level),
        shift=stability_indices(night.background.reference, cells, night.laid.features),
        importance=now,
        reference=then,
        source=source,
        tau=agreement(now, then) if now and then else math.nan,
        alerts={},
    )
    return alerted(seen, spec)


def alerted(seen: Watch, spec: OperationSpec) -> Watch:
    """The same with its alerts."""
    words = {name: alarm.words(seen, spec) for name, alarm in ALARMS.items()}
    told = {name: text for name, text in words.items() if text}
    return replace(seen, alerts=told)


def importances(
    night: Night, spec: OperationSpec
) -> tuple[dict[str, float], dict[str, float], str]:
    """Importance of features now and in training, and what the latter was found on.

    A model that was logged without its importance is attributed on its training windows.
    """
    laid, count = night.laid, spec.monitor.samples
    training = laid.between(*night.background.trained_on)
    newest = range(max(0, len(laid.dates) - spec.monitor.dates), len(laid.dates))
    now = importance_of_rows(night.served, laid, newest, training, count)
    known = dict(night.background.importance)
    if known:
        return now, known, "the test block when it was trained"
    then = importance_of_rows(night.served, laid, training, training, count)
    return now, then, "its training windows"
