"""Attributions as long tables, ready to be joined over units, plotted and logged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tasks.attribute.partials import MeanPartials
from tasks.train import TrainedUnit

TOLERANCE = 1e-4
"""Completeness error, relative to the change of the forecast, that a sample may have."""
ROUNDING = 1e-9
"""A sum over lags below this share of its terms is 0."""
UNIT = ("variant", "fold", "seed")
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "lagged": (*UNIT, "method", "feature", "lag", "signed", "absolute"),
        "importance": (*UNIT, "method", "feature", "importance", "sign_consistency"),
        "series": ("date", "feature", *UNIT, "mean_partial"),
        "gap": (*UNIT, "samples", "nodes", "gap_median", "gap_p99", "gap_max", "unresolved"),
    }
)
"""The columns of each table."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """Which features carried the test forecasts of a unit, or of several units one below another.

    Integrated gradients are in the target's unit; partial derivatives are in the target's unit per
    standard deviation of the feature (of its ranks where they are fed) in the training block. The
    importance of a feature is the sum of its ``lagged.absolute`` over the lags, for every method:
    the effect of a shift at all lags at once is nothing to a network that normalizes the window.

    Attributes:
        lagged: variant, fold, seed, method, feature, lag (0 = newest), signed, absolute: over
            samples the means of the attribution and of its absolute value (integrated gradients),
            over dates those of the mean partial (citic), over dates and stocks those of the
            partial (citic_abs).
        importance: variant, fold, seed, method, feature, importance, sign_consistency (in [0, 1],
            of the partials; NaN for integrated gradients, whose sign follows the baseline's).
        series: date, feature, variant, fold, seed, mean_partial: signed, per date, of a shift at
            all lags; 0 where the window normalizer takes such a shift out.
        gap: variant, fold, seed, samples, nodes (the most used), gap_median, gap_p99, gap_max
            (completeness error relative to the change of the forecast), unresolved (share of
            samples above the tolerance at the most nodes).
    """

    lagged: pd.DataFrame
    importance: pd.DataFrame
    series: pd.DataFrame
    gap: pd.DataFrame

    @classmethod
    def joined(cls, parts: Iterable["Attribution"]) -> "Attribution":
        """Tables of several units one below another; without any, empty with their columns."""
        several = list(parts)
        if not several:
            empty = {name: pd.DataFrame(columns=list(columns)) for name, columns in COLUMNS.items()}
            return cls(**empty)
        tables = {
            name: pd.concat([getattr(part, name) for part in several], ignore_index=True)
            for name in COLUMNS
        }
        return cls(**tables)


@dataclass(frozen=True, eq=False)
class Paths:
    """Integrated gradients of a unit's samples.

    Attributes:
        attributions: (B, T, F), oldest row first.
        error: (B,) completeness error relative to the change of the forecast.
        nodes: The most quadrature nodes that a sample was given.
    """

    attributions: Tensor
    error: Tensor
    nodes: int


def tables(
    trained: TrainedUnit, features: tuple[str, ...], paths: Paths, partials: MeanPartials
) -> Attribution:
    """The tables of one unit."""
    unit = trained.unit
    who = dict(zip(UNIT, (unit.variant, unit.fold.number, unit.seed), strict=True))
    signed = partials.signed.mean(0)
    lagged = {
        "integrated_gradients": (paths.attributions.mean(0), paths.attributions.abs().mean(0)),
        "citic": (signed, partials.by_lag("citic")),
        "citic_abs": (signed, partials.by_lag("citic_abs")),
    }
    agreement = partials.consistency("abs_sum").numpy()
    agreed = {"integrated_gradients": np.nan, "citic": agreement, "citic_abs": agreement}
    return Attribution(
        lagged=pd.concat(
            [lagged_rows(who, method, features, *maps) for method, maps in lagged.items()],
            ignore_index=True,
        ),
        importance=pd.concat(
            [
                pd.DataFrame(
                    who
                    | {
                        "method": method,
                        "feature": features,
                        "importance": absolute.sum(0).numpy(),
                        "sign_consistency": agreed[method],
                    }
                )
                for method, (_, absolute) in lagged.items()
            ],
            ignore_index=True,
        ),
        series=series_rows(who, features, partials),
        gap=gap_row(who, paths),
    )


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
    figures = (len(error), paths.nodes, median, p99, largest, float(np.mean(error > TOLERANCE)))
    return pd.DataFrame([(*who.values(), *figures)], columns=list(COLUMNS["gap"]))
