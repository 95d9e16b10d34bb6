"""Attributions as long tables, ready to be joined over units, plotted and logged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch

from foldproof.tasks.attribute.methods.adaptive import Paths
from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS
from foldproof.tasks.attribute.methods.partials import MeanPartials
from foldproof.tasks.attribute.methods.question import Answer

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


def empty(name: str) -> pd.DataFrame:
    """A table without rows."""
    return pd.DataFrame(columns=list(COLUMNS[name]))


@dataclass(frozen=True, eq=False)
class NewestUnit:
    """Tables that are made for a variant's newest unit only; empty where they are switched off.

    Attributes:
        origins: Attributions of some forecasts to the supplied features, through the statistics of
            the input normalizer, by feature and origin; see
            :func:`~foldproof.tasks.attribute.origins.origins.origins_of_unit`.
        supplied: A row for each of these forecasts: change, completeness error, method.
        by_return: Attributions of the same forecasts to the daily returns that the features are
            made of, by lag; see :func:`~foldproof.tasks.attribute.origins.prices.prices_of_unit`.
        to_prices: A row for each of them, with the reason where it stops at the features.
        baselines: Agreement of the feature rankings against several baselines; see
            :func:`~foldproof.tasks.attribute.trust.baselines.baseline_agreement`.
        drift: Whether importance moved between consecutive folds; see
            :func:`~foldproof.tasks.attribute.trust.drift.drifts`.
        checks: Whether the integrated gradients can be trusted, a row for each check of
            :data:`~foldproof.tasks.attribute.trust.catalogue.TRUST`; passed is None where it is
            undecided.
    """

    origins: pd.DataFrame = field(default_factory=partial(empty, "origins"))
    supplied: pd.DataFrame = field(default_factory=partial(empty, "supplied"))
    by_return: pd.DataFrame = field(default_factory=partial(empty, "by_return"))
    to_prices: pd.DataFrame = field(default_factory=partial(empty, "to_prices"))
    baselines: pd.DataFrame = field(default_factory=partial(empty, "baselines"))
    drift: pd.DataFrame = field(default_factory=partial(empty, "drift"))
    checks: pd.DataFrame = field(default_factory=partial(empty, "checks"))


@dataclass(frozen=True, eq=False)
class Attribution:
    """Importance of the features for the test forecasts of a unit, or of several units.

    Each method has the unit given in :data:`~foldproof.tasks.attribute.ATTRIBUTIONS`. The standard
    deviation of a feature is that of the training block, of its ranks where these are fed. Methods
    by group name the group's features, those by lag all features.

    ``net`` adds the lags of a feature before the absolute value: how far the feature as a whole
    moved the forecast. ``gross`` adds up the sizes of its lags (``lagged.absolute``). It is never
    below net, and far above it where lags offset each other, as in a difference of two of them, or
    behind a window normalizer, which has this effect in any network, trained or not.
    ``importance`` is the one by which the method ranks features (``Method.lags``): net for
    attributions, gross for slopes.

    Attributes:
        lagged: variant, fold, seed, method, feature, lag (0 = newest), signed, absolute: means over
            samples of the attribution and of its absolute value; for mean_partial over dates of the
            mean partial, for mean_abs_partial over dates and stocks of the partial. Methods that
            move all lags at once have no rows.
        importance: variant, fold, seed, method, feature, importance, net (for permutation the mean
            loss, below 0 where a feature does harm), gross, net_error (standard error of net from
            the draws; NaN where nothing is drawn), sign_consistency (in [0, 1], of the partials;
            NaN for the other methods, whose sign depends on the baseline).
        series: date, feature, variant, fold, seed, mean_partial: signed, per date, of a shift at
            all lags; 0 where the window normalizer removes such a shift.
        gap: variant, fold, seed, samples, nodes (the largest number used), gap_median, gap_p99,
            gap_max (completeness error relative to the spread of the forecasts), unresolved (share
            of samples above the tolerance at the most nodes).
        periods: variant, fold, seed, period, first, samples, feature, up, down: net importance by
            periods of the test block and by direction; see
            :func:`~foldproof.tasks.attribute.unit.periods.by_direction`.
        newest: Tables of the newest unit only.
    """

    lagged: pd.DataFrame
    importance: pd.DataFrame
    series: pd.DataFrame
    gap: pd.DataFrame
    periods: pd.DataFrame = field(default_factory=partial(empty, "periods"))
    newest: NewestUnit = field(default_factory=NewestUnit)

    @classmethod
    def joined(cls, parts: Iterable["Attribution"]) -> "Attribution":
        """Tables of several units one below another; without any, empty with their columns."""
        several = list(parts)
        newest = [part.newest for part in several]
        extra = {one.name: stacked(one.name, newest) for one in fields(NewestUnit)}
        own = [one.name for one in fields(cls) if one.name in COLUMNS]
        return cls(**{name: stacked(name, several) for name in own}, newest=NewestUnit(**extra))


def stacked(name: str, parts: Iterable[Attribution | NewestUnit]) -> pd.DataFrame:
    """One table of several parts, one below another; skips empty ones, which have no types."""
    filled = [table for part in parts if len(table := getattr(part, name))]
    return pd.concat(filled, ignore_index=True) if filled else empty(name)


def tables(
    key: Mapping[str, object],
    length: int,
    names: Mapping[str, tuple[str, ...]],
    answers: Mapping[str, Answer],
) -> Attribution:
    """The tables of one unit.

    Args:
        key: Columns that name the unit.
        length: T, rows of a window.
        names: By method, the names of its columns.
        answers: By method; integrated gradients among them.
    """
    rows = [(key, method, names[method], answer) for method, answer in answers.items()]
    lagged = [lagged_rows(*row) for row in rows if len(answers[row[1]].absolute) == length]
    partials = {method: one.partials for method, one in answers.items() if one.partials is not None}
    series = [series_rows(key, names[method], one) for method, one in partials.items()]
    return Attribution(
        lagged=pd.concat(lagged, ignore_index=True),
        importance=pd.concat([importance_rows(*row) for row in rows], ignore_index=True),
        series=series[0] if series else empty("series"),
        gap=pd.concat([gap_row(key, answer.paths) for answer in answers.values() if answer.paths]),
    )


def importance_rows(
    key: Mapping[str, object], method: str, features: tuple[str, ...], answer: Answer
) -> pd.DataFrame:
    """One row for each column of the answer."""
    unknown = torch.full_like(answer.net, torch.nan)
    columns = {
        "importance": getattr(answer, ATTRIBUTIONS[method].lags),
        "net": answer.net,
        "gross": answer.gross,
        "net_error": unknown if answer.error is None else answer.error,
        "sign_consistency": unknown if answer.agreement is None else answer.agreement,
    }
    figures = {name: column.numpy() for name, column in columns.items()}
    return pd.DataFrame({**key, "method": method, "feature": features, **figures})


def lagged_rows(
    key: Mapping[str, object], method: str, features: tuple[str, ...], answer: Answer
) -> pd.DataFrame:
    """Long rows of the two (T, F) maps of an answer, oldest row first; lag 0 is the newest."""
    length = len(answer.signed)
    return pd.DataFrame(
        {
            **key,
            "method": method,
            "feature": np.tile(np.array(features), length),
            "lag": np.repeat(np.arange(length)[::-1], len(features)),
            "signed": answer.signed.flatten().numpy(),
            "absolute": answer.absolute.flatten().numpy(),
        }
    )


def series_rows(
    key: Mapping[str, object], features: tuple[str, ...], partials: MeanPartials
) -> pd.DataFrame:
    """Signed mean partial of each date and feature; 0 where lags cancel except for rounding."""
    series = partials.series
    rounding = ROUNDING * partials.signed.abs().sum(1)
    return pd.DataFrame(
        {
            "date": np.repeat(partials.dates, len(features)),
            "feature": np.tile(np.array(features), len(partials.dates)),
            **key,
            "mean_partial": torch.where(series.abs() > rounding, series, 0.0).flatten().numpy(),
        }
    )


def gap_row(key: Mapping[str, object], paths: Paths) -> pd.DataFrame:
    """One row on the completeness error of the unit's integrated gradients."""
    error = paths.error.numpy()
    median, p99, largest = np.quantile(error, [0.5, 0.99, 1.0])
    figures = (len(error), paths.nodes, median, p99, largest, paths.unresolved)
    return pd.DataFrame([(*key.values(), *figures)], columns=list(COLUMNS["gap"]))
