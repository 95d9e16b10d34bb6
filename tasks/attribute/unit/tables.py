"""Attributions as long tables, ready to be joined over units, plotted and logged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.adaptive import Paths
from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS
from foldproof.tasks.attribute.methods.partials import MeanPartials
from foldproof.tasks.attribute.methods.question import Answer
from foldproof.tasks.train import TrainedUnit

ROUNDING = 1e-9
"""A sum over lags below this share of its terms is 0."""
UNIT = ("variant", "fold", "seed")
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "lagged": (*UNIT, "method", "feature", "lag", "signed", "absolute"),
        "importance": (
            *(*UNIT, "method", "feature"),
            *("importance", "net", "gross", "net_error", "sign_consistency"),
        ),
        "series": ("date", "feature", *UNIT, "mean_partial"),
        "periods": (*UNIT, "period", "first", "samples", "feature", "up", "down"),
        "gap": (*UNIT, "samples", "nodes", "gap_median", "gap_p99", "gap_max", "unresolved"),
        "origins": (*UNIT, "date", "symbol", "feature", "origin", "attribution", "absolute"),
        "supplied": (*UNIT, "date", "symbol", "change", "gap", "nodes", "resolved", "method"),
        "by_return": (*UNIT, "date", "symbol", "lag", "part", "attribution", "absolute"),
        "to_prices": (*UNIT, "date", "symbol", "change", "gap", "nodes", "resolved", "stops"),
        "baselines": (*UNIT, "baseline", "against", "tau", "unresolved", "reason"),
        "drift": ("variant", "before", "fold", "moved", "mark", "p", "tau", "alert", "detail"),
        "checks": (*UNIT, "check", "value", "low", "high", "mark", "passed", "detail"),
    }
)
"""The columns of each table."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """Which features carried the test forecasts of a unit, or of several units one below another.

    Each method has the unit that :data:`~tasks.attribute.ATTRIBUTIONS` tells. A standard deviation
    of a feature is that of the training block, of its ranks where they are fed. Methods by group
    name the group's features, those by lag all features.

    Two readings tell how much a feature carries. ``net`` takes its lags together before the
    absolute value: what the feature as a whole moved the forecast by. ``gross`` adds up the sizes
    of its lags, ``lagged.absolute``: never below net, and far above where lags offset each other,
    as in a difference of two of them, or behind a window normalizer, which does so in any network,
    trained or not. ``importance`` is the one that the method ranks features by
    (``Method.lags``): net for attributions, gross for slopes.

    Attributes:
        lagged: variant, fold, seed, method, feature, lag (0 = newest), signed, absolute: over
            samples the means of the attribution and of its absolute value, over dates those of the
            mean partial (citic), over dates and stocks those of the partial (citic_abs). Methods
            that move all lags at once have no rows.
        importance: variant, fold, seed, method, feature, importance, net (for permutation the mean
            loss, below 0 where a feature does harm), gross, net_error (standard error of net from
            the draws; NaN where nothing is drawn), sign_consistency (in [0, 1], of the partials;
            NaN for the others, whose sign follows the baseline's).
        series: date, feature, variant, fold, seed, mean_partial: signed, per date, of a shift at
            all lags; 0 where the window normalizer takes such a shift out.
        gap: variant, fold, seed, samples, nodes (the most used), gap_median, gap_p99, gap_max
            (completeness error relative to the spread of the forecasts), unresolved (share of
            samples above the tolerance at the most nodes).
        origins, supplied: Some forecasts taken back through the input normalizer's statistics to
            the supplied features; see :class:`~tasks.attribute.origins.Origins`. Empty where none
            was.
        by_return, to_prices: The same forecasts taken on to the daily returns that the features are
            made of, or why not; see :func:`~tasks.attribute.prices.unit.prices_of_unit`. Empty
            where that was not asked for.
        baselines: Whether the newest unit's integrated gradients rank the features alike against
            other baselines; see :func:`~tasks.attribute.rebased.rebased`.
        periods: variant, fold, seed, period, first, samples, feature, up, down: net importance by
            stretches of the test block and by direction; see
            :func:`~tasks.attribute.periods.directed`.
        drift: Whether importance moved between consecutive folds, with the newest unit; see
            :func:`~tasks.attribute.trust.drift.drifts`.
        checks: Whether the newest unit's integrated gradients can be believed, a row a check of
            :data:`~tasks.attribute.trust.TRUST`; passed is None where it cannot tell.
    """

    lagged: pd.DataFrame
    importance: pd.DataFrame
    series: pd.DataFrame
    gap: pd.DataFrame
    origins: pd.DataFrame = field(default_factory=lambda: empty("origins"))
    supplied: pd.DataFrame = field(default_factory=lambda: empty("supplied"))
    by_return: pd.DataFrame = field(default_factory=lambda: empty("by_return"))
    to_prices: pd.DataFrame = field(default_factory=lambda: empty("to_prices"))
    baselines: pd.DataFrame = field(default_factory=lambda: empty("baselines"))
    periods: pd.DataFrame = field(default_factory=lambda: empty("periods"))
    drift: pd.DataFrame = field(default_factory=lambda: empty("drift"))
    checks: pd.DataFrame = field(default_factory=lambda: empty("checks"))

    @classmethod
    def joined(cls, parts: Iterable["Attribution"]) -> "Attribution":
        """Tables of several units one below another; without any, empty with their columns."""
        several = list(parts)
        return cls(**{name: stacked(name, several) for name in COLUMNS})


def empty(name: str) -> pd.DataFrame:
    """A table without rows."""
    return pd.DataFrame(columns=list(COLUMNS[name]))


def stacked(name: str, parts: Iterable[Attribution]) -> pd.DataFrame:
    """A table of several attributions, one below another; empty ones have no types to add."""
    filled = [table for part in parts if len(table := getattr(part, name))]
    return pd.concat(filled, ignore_index=True) if filled else empty(name)


def tables(
    trained: TrainedUnit, names: Mapping[str, tuple[str, ...]], answers: Mapping[str, Answer]
) -> Attribution:
    """The tables of one unit.

    Args:
        trained: The unit.
        names: By method, what its columns are called.
        answers: By method; integrated gradients among them.
    """
    unit = trained.unit
    who = dict(zip(UNIT, (unit.variant, unit.fold.number, unit.seed), strict=True))
    lagged = [
        lagged_rows(who, method, names[method], answer.signed, answer.absolute)
        for method, answer in answers.items()
        if len(answer.absolute) == unit.network.window
    ]
    importance = [
        importance_rows(who, method, names[method], answer) for method, answer in answers.items()
    ]
    return Attribution(
        lagged=pd.concat(lagged, ignore_index=True),
        importance=pd.concat(importance, ignore_index=True),
        series=series_of(who, names, answers),
        gap=pd.concat([gap_row(who, answer.paths) for answer in answers.values() if answer.paths]),
    )


def importance_rows(
    who: Mapping[str, object], method: str, features: tuple[str, ...], answer: Answer
) -> pd.DataFrame:
    """One row a column of the answer."""
    unknown = torch.full_like(answer.net, torch.nan)
    columns = {
        "importance": getattr(answer, ATTRIBUTIONS[method].lags),
        "net": answer.net,
        "gross": answer.gross,
        "net_error": unknown if answer.error is None else answer.error,
        "sign_consistency": unknown if answer.agreement is None else answer.agreement,
    }
    figures = {name: column.numpy() for name, column in columns.items()}
    return pd.DataFrame({**who, "method": method, "feature": features, **figures})


def series_of(
    who: Mapping[str, object],
    names: Mapping[str, tuple[str, ...]],
    answers: Mapping[str, Answer],
) -> pd.DataFrame:
    """Mean partials per date; empty where no method read them."""
    for method, answer in answers.items():
        if answer.partials is not None:
            return series_rows(who, names[method], answer.partials)
    return pd.DataFrame(columns=list(COLUMNS["series"]))


def lagged_rows(
    who: Mapping[str, object],
    method: str,
    features: tuple[str, ...],
    signed: Tensor,
    absolute: Tensor,
) -> pd.DataFrame:
    """Long rows of two (T, F) maps, oldest row first; lag 0 is the newest."""
    length = len(signed)
    return pd.DataFrame(
        {
            **who,
            "method": method,
            "feature": np.tile(np.array(features), length),
            "lag": np.repeat(np.arange(length)[::-1], len(features)),
            "signed": signed.flatten().numpy(),
            "absolute": absolute.flatten().numpy(),
        }
    )


def series_rows(
    who: Mapping[str, object], features: tuple[str, ...], partials: MeanPartials
) -> pd.DataFrame:
    """The signed mean partial of each date and feature; 0 where lags cancel but for rounding."""
    series = partials.series
    rounding = ROUNDING * partials.signed.abs().sum(1)
    return pd.DataFrame(
        {
            "date": np.repeat(partials.dates, len(features)),
            "feature": np.tile(np.array(features), len(partials.dates)),
            **who,
            "mean_partial": torch.where(series.abs() > rounding, series, 0.0).flatten().numpy(),
        }
    )


def gap_row(who: Mapping[str, object], paths: Paths) -> pd.DataFrame:
    """One row on how exact the unit's integrated gradients are."""
    error = paths.error.numpy()
    median, p99, largest = np.quantile(error, [0.5, 0.99, 1.0])
    figures = (len(error), paths.nodes, median, p99, largest, paths.unresolved)
    return pd.DataFrame([(*who.values(), *figures)], columns=list(COLUMNS["gap"]))
