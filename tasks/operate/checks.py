"""Is a night fit to be scored: one statistic a check, held against its bounds."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from foldproof.tasks.operate.evidence import business_days
from foldproof.tasks.operate.night import Night
from foldproof.tasks.operate.shift import outside, stability_indices
from foldproof.tasks.operate.spec import LESS_IS_WORSE, Bound, ScoreSpec

NAMED = 3
"""Features and symbols that a detail names."""


class Result(StrEnum):
    """What a check comes to."""

    PASS = "pass"
    WARN = "warn"
    REFUSE = "refuse"


class Measured(NamedTuple):
    """A statistic, and where it comes from in a few words."""

    value: float
    detail: str


@dataclass(frozen=True)
class Check:
    """One check of a night.

    Attributes:
        title: A few words.
        unit: Of the statistic.
        meaning: What it is, and the trap.
        measure: From the night and its scores to the statistic.
    """

    title: str
    unit: str
    meaning: str
    measure: Callable[[Night, pd.DataFrame, ScoreSpec], Measured]


@dataclass(frozen=True)
class Checked:
    """A check's answer.

    Attributes:
        name: Key of :data:`CHECKS`.
        value: The statistic; NaN where it could not be computed, which no bound lets pass.
        bound: Its bounds.
        result: The outcome.
        detail: Where the statistic comes from.
    """

    name: str
    value: float
    bound: Bound
    result: Result
    detail: str


def staleness(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Business days that the newest row lies behind the night."""
    days = business_days(night.newest, night.when)
    return Measured(days, f"the newest row is of {night.newest}, the night is {night.when}")


def missing(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Share of the universe's feature values that are missing on the newest date."""
    holes = np.isnan(night.laid.values[-1][night.universe])
    share = pd.Series(holes.mean(axis=0), list(night.laid.features)) if holes.size else empty()
    worst = share[share > 0].sort_values(ascending=False, kind="stable")
    return Measured(float(holes.mean()) if holes.size else math.nan, listed(worst, ".0%"))


def shift(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Population stability index of the feature that moved most."""
    cells = night.cells(spec.shift_dates)
    index = stability_indices(night.background.reference, cells, night.laid.features)
    return Measured(float(index.iloc[0]), listed(index, ".2f"))


def distance(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Share of the newest date's values that lie outside the training range."""
    cells = night.laid.values[-1][night.universe]
    known = np.isfinite(cells).sum(axis=0)
    share = outside(night.background.reference, cells, night.laid.features)
    total = float((share[list(night.laid.features)] * known).sum())
    value = total / known.sum() if known.sum() else math.nan
    return Measured(value, listed(share[share > 0], ".0%"))


def coverage(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Share of the universe that gets a score."""
    without = scores.loc[scores["score"].isna(), "symbol"].tolist()
    names = ", ".join(without[:NAMED]) + (", ..." if len(without) > NAMED else "")
    detail = f"{len(scores) - len(without)} of {len(scores)} symbols"
    value = 1 - len(without) / len(scores) if len(scores) else math.nan
    return Measured(value, f"{detail}; none for {names}" if without else detail)


def age(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> Measured:
    """Calendar days since the fitting of the champion ended."""
    ended = night.background.fitted_to
    return Measured((night.when - ended).days, f"its training and validation rows end on {ended}")


CHECKS: Mapping[str, Check] = MappingProxyType({
    "staleness": Check(
        "staleness", "business days",
        "Business days after the newest row up to the night; holidays count as business days.",
        staleness,
    ),
    "missing": Check(
        "missing features", "share",
        "Missing feature values of the newest date over the universe, after carrying forward.",
        missing,
    ),
    "shift": Check(
        "distribution shift", "population stability index",
        "Of the feature that moved most, newest dates against training rows. Few dates of few "
        "symbols look moved by chance.",
        shift,
    ),
    "distance": Check(
        "out of range", "share",
        "Feature values of the newest date outside the least and greatest training value.",
        distance,
    ),
    "coverage": Check(
        "coverage", "share",
        "Symbols with a score, of those with a row within the newest five dates.", coverage,
    ),
    "age": Check(
        "age of the model", "days",
        "Calendar days since its training and validation rows end; beyond refuse it is expired.",
        age,
    ),
})  # fmt: skip
"""One entry a bound of ScoreSpec, in the order in which they are told."""


def run_checks(night: Night, scores: pd.DataFrame, spec: ScoreSpec) -> tuple[Checked, ...]:
    """Every check of :data:`CHECKS` on a night and its scores."""
    found = []
    for name, check in CHECKS.items():
        value, detail = check.measure(night, scores, spec)
        bound = spec.bounds[name]
        found.append(Checked(name, value, bound, judge(name, value, bound), detail))
    return tuple(found)


def judge(name: str, value: float, bound: Bound) -> Result:
    """The harder bound first; a statistic that is not a number is beyond each that is set."""
    if beyond(name, value, bound.refuse):
        return Result.REFUSE
    return Result.WARN if beyond(name, value, bound.warn) else Result.PASS


def beyond(name: str, value: float, limit: float | None) -> bool:
    """Whether a statistic lies beyond a limit; on it, it does not."""
    if limit is None:
        return False
    return not (value >= limit if name in LESS_IS_WORSE else value <= limit)


def listed(values: pd.Series, form: str) -> str:
    """The first few entries as text; empty without any."""
    return ", ".join(f"{name} {value:{form}}" for name, value in values[:NAMED].items())


def empty() -> pd.Series:
    """No entry."""
    return pd.Series(dtype=float)
