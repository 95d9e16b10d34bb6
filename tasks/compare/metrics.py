"""Metrics of forecasts: how each is computed, and its unit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from foldproof.tasks.compare.aligned import Aligned
from foldproof.tasks.statistics.rank_ic import correlation, ranks

QUINTILES_FROM = 10
"""Fewest symbols for which a date is cut into quintiles; with fewer, into terciles."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Forecasts of one variant and their scores per date.

    Attributes:
        forecast: (D, S), NaN where there is none.
        target: (D, S), NaN at the same cells.
        ic: (D,) Pearson correlation of forecasts and targets across symbols.
        rank_ic: (D,) Spearman correlation, ties by their mean rank.
        spread: (D,) mean target of the top quantile minus that of the bottom quantile.
    """

    forecast: np.ndarray
    target: np.ndarray
    ic: np.ndarray
    rank_ic: np.ndarray
    spread: np.ndarray

    def on(self, rows: np.ndarray) -> "Scores":
        """The scores on some dates."""
        parts = (self.forecast, self.target, self.ic, self.rank_ic, self.spread)
        return Scores(*(part[rows] for part in parts))


def scores(forecast: np.ndarray, target: np.ndarray, target_rank: np.ndarray) -> Scores:
    """Per-date scores of forecasts (D, S) for targets (D, S), NaN at the same cells of both.

    On a date whose forecasts are all equal the correlations are 0, so that abstaining neither helps
    nor hurts and all variants have the same dates.
    """
    low, high = ranks(forecast)
    return Scores(
        forecast,
        target,
        correlation(forecast, target),
        correlation((low + high) / 2, target_rank),
        quantile_spread(low, high, target),
    )


def scores_of(aligned: Aligned) -> dict[str, Scores]:
    """The scores of every variant."""
    low, high = ranks(aligned.target)
    return {
        name: scores(forecast, aligned.target, (low + high) / 2)
        for name, forecast in zip(aligned.variants, aligned.forecasts, strict=True)
    }


def quantile_spread(low: np.ndarray, high: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(D,) mean target of the top quantile minus the mean target of the bottom quantile.

    A quantile holds a fifth of the symbols (a third if there are fewer than ten), rounded down, at
    least one. Forecasts tied across its border count with the share of their ranks inside. That is
    the expected value if ties were broken at random, so a constant forecast has spread 0.

    Args:
        low: (D, S) lowest rank of the forecast among its ties, from 1.
        high: (D, S) highest rank among its ties.
        target: (D, S).
    """
    n = np.isfinite(low).sum(axis=1, keepdims=True)
    size = np.maximum(n // np.where(n >= QUINTILES_FROM, 5, 3), 1)
    places = high - low + 1
    top = np.minimum(np.maximum(high - (n - size), 0), places) / places
    bottom = np.minimum(np.maximum(size - low + 1, 0), places) / places
    return np.nansum((top - bottom) * target, axis=1) / size[:, 0]


def ratio(value: float, unit: float) -> float:
    """``value / unit``; NaN if the unit is 0."""
    return value / unit if unit > 0 else float("nan")


def mean_over_sd(daily: np.ndarray) -> float:
    """Mean / standard deviation (n - 1) of a daily series; NaN for a constant one."""
    return ratio(float(daily.mean()), float(daily.std(ddof=1))) if len(daily) > 1 else float("nan")


def mse(s: Scores) -> float:
    """Mean squared error over all cells."""
    return float(np.nanmean((s.forecast - s.target) ** 2))


def hit_rate(s: Scores) -> float:
    """Share of nonzero targets whose sign is forecast; a forecast of 0 counts one half."""
    moved = np.isfinite(s.target) & (s.target != 0)
    agree = np.sign(s.forecast[moved]) * np.sign(s.target[moved])
    return float(((agree + 1) / 2).mean()) if moved.any() else float("nan")


@dataclass(frozen=True)
class Metric:
    """One score of a variant.

    Attributes:
        title: A few words for tables.
        unit: Its unit.
        higher_is_better: The direction.
        meaning: How it is computed, and the trap.
        function: From the scores of a variant to the number.
    """

    title: str
    unit: str
    higher_is_better: bool
    meaning: str
    function: Callable[[Scores], float]


PER_DATE = "per date, not annualised; overlapping labels make it look steadier than it is"

METRICS: Mapping[str, Metric] = MappingProxyType({
    "rank_ic": Metric(
        "rank IC", "correlation", True,
        "mean over dates of the Spearman correlation across symbols; "
        "0 on a date whose forecasts are all equal",
        lambda s: float(s.rank_ic.mean()),
    ),
    "ic": Metric(
        "IC", "correlation", True,
        "mean over dates of the Pearson correlation across symbols",
        lambda s: float(s.ic.mean()),
    ),
    "icir": Metric(
        "ICIR", "mean / sd of the daily IC", True, PER_DATE, lambda s: mean_over_sd(s.ic)
    ),
    "rank_icir": Metric(
        "rank ICIR", "mean / sd of the daily rank IC", True, PER_DATE,
        lambda s: mean_over_sd(s.rank_ic),
    ),
    "mse": Metric("MSE", "target unit squared", False, "mean squared error over all cells", mse),
    "mse_ratio": Metric(
        "MSE ratio", "MSE / MSE of the zero forecast", False,
        "below 1: better than a constant forecast of 0; 1 - ratio is the out-of-sample R² against "
        "zero",
        lambda s: ratio(mse(s), float(np.nanmean(s.target**2))),
    ),
    "hit_rate": Metric(
        "hit rate", "share", True,
        "nonzero targets whose sign is forecast; a forecast of 0 counts one half", hit_rate,
    ),
    "quantile_spread": Metric(
        "quantile spread", "target unit", True,
        "mean over dates of the mean target of the top minus the bottom quantile by forecast; "
        "quintiles, terciles on dates with fewer than 10 symbols; before costs",
        lambda s: float(s.spread.mean()),
    ),
})  # fmt: skip


def figures(s: Scores) -> dict[str, float]:
    """Every metric of one variant."""
    return {name: metric.function(s) for name, metric in METRICS.items()}
