"""Checks of a night: one statistic each, compared with its bounds, to warn or to refuse."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.operate.feature_drift import share_outside, stability_indices
from foldproof.tasks.operate.nightly_inputs import Night
from foldproof.tasks.operate.sessions import closed, sessions_after
from foldproof.tasks.operate.spec import LESS_IS_WORSE, Bound, ScoreSpec

NAMED = 3
"""Features and symbols named in a detail."""


class Result(StrEnum):
    """Result of a check."""

    PASS = "pass"
    WARN = "warn"
    REFUSE = "refuse"


Measured = tuple[float, str]
"""A statistic, and where it comes from in a few words."""


@dataclass(frozen=True)
class Check:
    """One check of a night.

    Attributes:
        title: A few words.
        unit: Unit of the statistic.
        measure: From the night, its scores and the settings to the statistic.
    """

    title: str
    unit: str
    measure: Callable[[Night, pd.DataFrame, ScoreSpec], Measured]


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    Attributes:
        name: Key of :data:`CHECKS`.
        value: The statistic; NaN if it could not be computed, which never passes.
        bound: Its bounds.
        result: The result.
        detail: Where the statistic comes from.
    """

    name: str
    value: float
    bound: Bound
    result: Result
    detail: str


def staleness(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Business days from the newest row to the night; holidays count without a calendar."""
    days = sessions_after(night.newest, night.when, night.calendar)
    holiday = closed(night.when, night.calendar)
    nights = f"the newest row is of {night.newest}, the night is {night.when}"
    return days, f"{nights}; {holiday}" if holiday else nights


def missing(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Share of the universe's feature values missing on the newest date, after filling forward."""
    cells = np.isnan(night.rows.values[-1][night.universe])
    if not cells.size:
        return math.nan, ""
    share = pd.Series(cells.mean(axis=0), list(night.rows.features))
    worst = share[share > 0].sort_values(ascending=False, kind="stable")
    return float(cells.mean()), listed(worst, ".0%")


def shift(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Population stability index of the feature that moved most, newest dates against training.

    On few dates of few symbols the index is large by chance.
    """
    cells = night.cells(spec.shift_dates)
    index = stability_indices(night.background.reference, cells, night.rows.features)
    return float(index.iloc[0]), listed(index, ".2f")


def distance(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Share of the newest date's feature values outside the training range."""
    cells = night.rows.values[-1][night.universe]
    known = np.isfinite(cells).sum(axis=0)
    share = share_outside(night.background.reference, cells, night.rows.features)
    total = float((share[list(night.rows.features)] * known).sum())
    value = total / known.sum() if known.sum() else math.nan
    return value, listed(share[share > 0], ".0%")


def coverage(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Share of the universe that gets a score."""
    without = scores.loc[scores["score"].isna(), "symbol"].tolist()
    names = ", ".join(without[:NAMED]) + (", ..." if len(without) > NAMED else "")
    detail = f"{len(scores) - len(without)} of {len(scores)} symbols"
    value = 1 - len(without) / len(scores) if len(scores) else math.nan
    return value, f"{detail}; none for {names}" if without else detail


def age(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Calendar days since the champion's training and validation rows end."""
    ended = night.background.fitted_to
    return (night.when - ended).days, f"its training and validation rows end on {ended}"


CHECKS: Mapping[str, Check] = MappingProxyType({
    "staleness": Check("staleness", "business days", staleness),
    "missing": Check("missing features", "share", missing),
    "shift": Check("distribution shift", "population stability index", shift),
    "distance": Check("out of range", "share", distance),
    "coverage": Check("coverage", "share", coverage),
    "age": Check("age of the model", "days", age),
})  # fmt: skip
"""One entry per bound of ScoreSpec, in the order of the report."""


def run_checks(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> tuple[Checked, ...]:
    """Every check of :data:`CHECKS` on a night and its scores."""
    checked = []
    for name, check in CHECKS.items():
        value, detail = check.measure(night, scores, spec)
        bound = spec.bounds[name]
        checked.append(Checked(name, value, bound, result_of(name, value, bound), detail))
    return tuple(checked)


def result_of(name: str, value: float, bound: Bound) -> Result:
    """The result of a statistic: a value on a bound passes, and NaN exceeds every bound."""
    for limit, result in ((bound.refuse, Result.REFUSE), (bound.warn, Result.WARN)):
        if limit is None or (value >= limit if name in LESS_IS_WORSE else value <= limit):
            continue
        return result
    return Result.PASS


def listed(values: pd.Series, form: str) -> str:
    """The first few entries as text; empty if there are none."""
    return ", ".join(f"{name} {value:{form}}" for name, value in values[:NAMED].items())
