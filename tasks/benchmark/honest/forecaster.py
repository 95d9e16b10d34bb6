"""An honest forecaster built of parts. Each planted leak replaces one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.honest.market import DAILY
from foldproof.tasks.diagnose.trace.run import Forecast
from foldproof.tasks.diagnose.trace.trace import Trace
from foldproof.tasks.split import Fold

Samples = pd.Index
"""(date, symbol) of samples."""
Column = Callable[[pd.DataFrame], pd.Series]
"""Rows -> a feature on the same rows."""
Rescoring = Callable[[pd.Series, pd.DataFrame], pd.Series]
"""Scores of the linear model and targets -> other scores."""
WINDOW = 5
"""Rows in the window of a network."""


def keyed(data: pd.DataFrame) -> pd.DataFrame:
    """Long rows indexed by (date, symbol), sorted."""
    return data.set_index(["date", "symbol"]).sort_index()


def by_symbol(column: pd.Series) -> Any:
    """A column grouped by stock."""
    return column.groupby(level=1)


def daily_return(rows: pd.DataFrame) -> pd.Series:
    """Return of each day; missing on a stock's first day."""
    return by_symbol(rows["close"]).pct_change(fill_method=None)


def honest_features(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns, reversal, volatility and the market's own columns, all from the past."""
    day = daily_return(rows)
    week = by_symbol(rows["close"]).pct_change(5, fill_method=None)
    return pd.DataFrame(
        {
            "signal": rows["signal"],
            "sentiment": by_symbol(rows["sentiment"]).ffill().fillna(0.0),
            "return_1": day.fillna(0.0),
            "return_5": week.fillna(0.0),
            "volatility": by_symbol(day).rolling(10, min_periods=2).std().droplevel(0).fillna(0.0),
            "volume": np.log(rows["volume"]).fillna(0.0),
        }
    )


def with_feature(make: Column, rows: pd.DataFrame) -> pd.DataFrame:
    """The honest features and one more."""
    return honest_features(rows).assign(added=make(rows)).fillna(0.0)


def next_close(rows: pd.DataFrame, horizon: int = 1) -> pd.DataFrame:
    """Return from the next close over ``horizon`` days, and the date on which it is known."""
    close = by_symbol(rows["close"])
    return labelled(rows, close.shift(-1 - horizon) / close.shift(-1) - 1, 1 + horizon)


def labelled(rows: pd.DataFrame, target: pd.Series, ahead: int) -> pd.DataFrame:
    """``target`` less its date's mean, known ``ahead`` rows of the stock later."""
    dates = pd.Series(rows.index.get_level_values(0), index=rows.index)
    relative = target - target.groupby(level=0).transform("mean")
    return pd.DataFrame({"target": relative, "label_end": by_symbol(dates).shift(-ahead)})


def before_test(x: pd.DataFrame, y: pd.DataFrame, fold: Fold) -> Samples:
    """Complete samples of the training and validation dates."""
    complete = x.notna().all(axis=1) & y["target"].notna()
    return on_dates(x.index[complete], np.concatenate([fold.train_dates, fold.validation_dates]))


def on_dates(samples: Samples, dates: np.ndarray) -> Samples:
    """The samples on ``dates``."""
    return samples[samples.get_level_values(0).isin(dates)]


def all_features(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> list[str]:
    """No selection."""
    return [*x]


def moments(x: pd.DataFrame) -> pd.DataFrame:
    """Mean and sd of each feature; sd 1 for a constant."""
    return pd.DataFrame({"mean": x.mean(), "sd": x.std().replace(0.0, 1.0)}).T


def train_scaler(x: pd.DataFrame, samples: Samples, fold: Fold) -> pd.DataFrame:
    """Mean and sd on the training dates."""
    return moments(x.loc[on_dates(samples, fold.train_dates)])


def unchanged(rows: pd.DataFrame) -> pd.DataFrame:
    """All rows as they are."""
    return rows


def regression_data(
    x: pd.DataFrame, y: pd.DataFrame, samples: Samples
) -> tuple[np.ndarray, np.ndarray]:
    """(n, F) inputs and (n,) targets, in units of a daily standard deviation."""
    return x.loc[samples].to_numpy(), y.loc[samples, "target"].to_numpy() / DAILY


def ridge(
    x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold, penalty: float = 30.0
) -> np.ndarray:
    """(F,) weights of a ridge regression on ``samples``."""
    a, b = regression_data(x, y, samples)
    return np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ b)


def linear_scores(model: np.ndarray, x: pd.DataFrame, test: Samples, *_: object) -> pd.Series:
    """Scores of a linear model on complete rows."""
    rows = x.loc[test].dropna()
    return pd.Series(rows.to_numpy() @ model, index=rows.index)


def rescored(
    change: Rescoring, model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace,
    y: pd.DataFrame,
) -> pd.Series:  # fmt: skip
    """Scores of a linear model, changed with the targets at hand."""
    return change(linear_scores(model, x, test), y)


@dataclass(frozen=True)
class Parts:
    """The parts of a forecaster; by default each is honest.

    Attributes:
        universe: Raw rows -> the rows that are kept.
        features: Rows -> features on the same rows.
        target: Rows -> target and label_end on the same rows.
        samples: (features, target, fold) -> samples to train on.
        select: (features, target, samples, fold) -> names of the selected features.
        fit_scaler: (features, samples, fold) -> mean and sd by feature.
        windows: (scaled features) -> inputs of the model, on the same rows.
        train: (inputs, target, samples, fold) -> model.
        score: (model, inputs, samples to score, fold, trace, target) -> scores.
        explain: (inputs, samples, model) -> frozen attribution artefact, or None.
    """

    universe: Callable[[pd.DataFrame], pd.DataFrame] = unchanged
    features: Callable[[pd.DataFrame], pd.DataFrame] = honest_features
    target: Callable[[pd.DataFrame], pd.DataFrame] = next_close
    samples: Callable[[pd.DataFrame, pd.DataFrame, Fold], Samples] = before_test
    select: Callable[[pd.DataFrame, pd.DataFrame, Samples, Fold], list[str]] = all_features
    fit_scaler: Callable[[pd.DataFrame, Samples, Fold], pd.DataFrame] = train_scaler
    windows: Callable[[pd.DataFrame], pd.DataFrame] = unchanged
    train: Callable[[pd.DataFrame, pd.DataFrame, Samples, Fold], object] = ridge
    score: Callable[..., pd.Series] = linear_scores
    explain: Callable[..., object] | None = None

    @property
    def forecaster(self) -> Forecast:
        """The parts as one forecaster that traces its stages."""
        return partial(run, self)


def run(parts: Parts, data: pd.DataFrame, fold: Fold, trace: Trace) -> pd.Series:
    """Raw rows to scores, stage by stage."""
    rows = keyed(trace("universe", parts.universe(data)))
    x = trace("features", parts.features(rows))
    y = trace("target", parts.target(rows))
    samples = trace("folds", parts.samples(x, y, fold), "training samples")
    chosen = trace("selection", parts.select(x, y, samples, fold), "selected")
    scaler = trace("input normalizer", parts.fit_scaler(x[chosen], samples, fold), "scaler")
    scaled = (x[chosen] - scaler.loc["mean"]) / scaler.loc["sd"]
    inputs = trace("window", parts.windows(scaled))
    model = trace.train(partial(parts.train, inputs, y, samples, fold))
    if parts.explain is not None:
        trace("attribution", parts.explain(inputs, samples, model))
    test = on_dates(inputs.index, fold.test_dates)
    return parts.score(model, inputs, test, fold, trace, y)


HONEST = Parts()
"""A pipeline without a leak."""
