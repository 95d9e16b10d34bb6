"""An honest forecaster in parts. Each planted leak is this with one part exchanged."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.trace.run import Forecast
from foldproof.tasks.diagnose.trace.trace import Trace
from foldproof.tasks.split import Fold

Samples = pd.Index
"""(date, symbol) of samples."""
WINDOW = 5
"""Rows that a window model reads."""


@dataclass(frozen=True)
class Parts:
    """What a forecaster is made of; the default of each part is honest.

    Attributes:
        universe: Raw rows -> the rows that are kept.
        features: Rows -> features on the same rows.
        target: Rows -> target and label_end on the same rows.
        samples: (features, target, fold) -> samples to train on; all whole ones before the test.
        select: (features, target, samples, fold) -> names of the features that are used.
        fit_scaler: (features, samples, fold) -> mean and sd by feature.
        windows: (scaled features) -> what the model reads, on the same rows.
        train: (inputs, target, samples, fold) -> model.
        score: (model, inputs, samples to score, fold) -> scores.
        explain: (inputs, samples, model) -> frozen attribution artefact, or None.
    """

    universe: Callable[[pd.DataFrame], pd.DataFrame]
    features: Callable[[pd.DataFrame], pd.DataFrame]
    target: Callable[[pd.DataFrame], pd.DataFrame]
    samples: Callable[[pd.DataFrame, pd.DataFrame, Fold], Samples]
    select: Callable[[pd.DataFrame, pd.DataFrame, Samples, Fold], list[str]]
    fit_scaler: Callable[[pd.DataFrame, Samples, Fold], pd.DataFrame]
    windows: Callable[[pd.DataFrame], pd.DataFrame]
    train: Callable[[pd.DataFrame, pd.DataFrame, Samples, Fold], object]
    score: Callable[..., pd.Series]
    explain: Callable[..., object] | None = None

    @property
    def forecaster(self) -> Forecast:
        """The parts as one forecaster that marks its stages."""
        return partial(run, self)


def run(parts: Parts, data: pd.DataFrame, fold: Fold, trace: Trace) -> pd.Series:
    """Raw rows to scores, stage by stage."""
    rows = trace("universe", parts.universe(data))
    rows = rows.set_index(["date", "symbol"]).sort_index()
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
    test = inputs.index[inputs.index.get_level_values(0).isin(fold.test_dates)]
    return parts.score(model, inputs, test, fold, trace, y)


def everyone(data: pd.DataFrame) -> pd.DataFrame:
    """All rows."""
    return data


def by_symbol(column: pd.Series) -> Any:
    """Grouped by stock."""
    return column.groupby(level=1)


def honest_features(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns, reversal, volatility and the market's own columns, all from the past."""
    close = rows["close"]
    day = by_symbol(close).pct_change(fill_method=None)
    return pd.DataFrame(
        {
            "signal": rows["signal"],
            "sentiment": by_symbol(rows["sentiment"]).ffill().fillna(0.0),
            "return_1": day.fillna(0.0),
            "return_5": by_symbol(close).pct_change(5, fill_method=None).fillna(0.0),
            "volatility": by_symbol(day).rolling(10, min_periods=2).std().droplevel(0).fillna(0.0),
            "volume": np.log(rows["volume"]).fillna(0.0),
        }
    )


def with_feature(
    make: Callable[[pd.DataFrame], pd.Series], rows: pd.DataFrame, name: str = "added"
) -> pd.DataFrame:
    """The honest features and one more."""
    return honest_features(rows).assign(**{name: make(rows)}).fillna(0.0)


def next_close(rows: pd.DataFrame, horizon: int = 1) -> pd.DataFrame:
    """Return from the next close over ``horizon`` days, and the date on which it is known."""
    close = rows["close"]
    entry = by_symbol(close).shift(-1)
    leave = by_symbol(close).shift(-1 - horizon)
    return labelled(rows, leave / entry - 1, 1 + horizon)


def labelled(rows: pd.DataFrame, target: pd.Series, ahead: int) -> pd.DataFrame:
    """``target`` less its date's mean, with the date ``ahead`` rows of its stock later."""
    dates = pd.Series(rows.index.get_level_values(0), index=rows.index)
    ends = by_symbol(dates).shift(-ahead)
    relative = target - target.groupby(level=0).transform("mean")
    return pd.DataFrame({"target": relative, "label_end": ends})


def before_test(x: pd.DataFrame, y: pd.DataFrame, fold: Fold) -> Samples:
    """Samples of the training and validation dates with a label known before the block ends."""
    dates = np.concatenate([fold.train_dates, fold.validation_dates])
    whole = x.notna().all(axis=1) & y["target"].notna()
    return x.index[whole & x.index.get_level_values(0).isin(dates)]


def on_dates(samples: Samples, dates: np.ndarray) -> Samples:
    """Those of ``samples`` on ``dates``."""
    return samples[samples.get_level_values(0).isin(dates)]


def all_features(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> list[str]:
    """No selection."""
    return [*x]


def train_scaler(x: pd.DataFrame, samples: Samples, fold: Fold) -> pd.DataFrame:
    """Mean and sd of the training dates."""
    block = x.loc[on_dates(samples, fold.train_dates)]
    return pd.DataFrame({"mean": block.mean(), "sd": block.std().replace(0.0, 1.0)}).T


def same_rows(scaled: pd.DataFrame) -> pd.DataFrame:
    """The row itself is the window."""
    return scaled


def ridge(
    x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold, penalty: float = 30.0
) -> np.ndarray:
    """(F,) weights of a ridge regression on ``samples``."""
    a, b = x.loc[samples].to_numpy(), y.loc[samples, "target"].to_numpy() / 0.02
    return np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ b)


def linear_scores(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Scores of a linear model on whole rows."""
    rows = x.loc[test].dropna()
    return pd.Series(rows.to_numpy() @ model, index=rows.index)


HONEST = Parts(
    universe=everyone,
    features=honest_features,
    target=next_close,
    samples=before_test,
    select=all_features,
    fit_scaler=train_scaler,
    windows=same_rows,
    train=ridge,
    score=linear_scores,
)
"""Nothing leaks."""
