"""Leaks planted between features and scores: samples, selection, scaler, windows, training."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from foldproof.tasks.benchmark.honest.forecaster import (
    Samples,
    before_test,
    by_symbol,
    linear_scores,
    ridge,
)
from foldproof.tasks.diagnose.trace.trace import Trace
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.rank_ic import daily_rank_ic


def unpurged(x: pd.DataFrame, y: pd.DataFrame, fold: Fold) -> Samples:
    """All dates before the test block, labels that reach into it included."""
    before = x.index.get_level_values(0) < fold.test_dates[0]
    return x.index[before & y["target"].notna()]


def shuffled(x: pd.DataFrame, y: pd.DataFrame, fold: Fold) -> Samples:
    """Four fifths of all samples at random dates, as a shuffled K-fold would take."""
    dates = x.index.get_level_values(0).unique()
    draw = np.random.default_rng(0).random(len(dates))
    kept = dates[draw < 0.8].union(pd.DatetimeIndex(before_test(x, y, fold).get_level_values(0)))
    return x.index[x.index.get_level_values(0).isin(kept) & y["target"].notna()]


def best_by_ic(
    x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold, most: int = 3
) -> list[str]:
    """The features with the highest rank IC over all dates."""
    ics = {str(name): abs(daily_rank_ic(x[name], y["target"]).mean()) for name in x}
    return sorted(ics, key=lambda name: -ics[name])[:most]


def scaler_of_all(x: pd.DataFrame, samples: Samples, fold: Fold) -> pd.DataFrame:
    """Mean and sd over train, validation and test."""
    return pd.DataFrame({"mean": x.mean(), "sd": x.std().replace(0.0, 1.0)}).T


def with_horizon(scaled: pd.DataFrame) -> pd.DataFrame:
    """Each row less the mean of a window that reaches two rows into the future."""
    mean = own_mean(scaled).groupby(level=1).shift(-2)
    return scaled - mean.fillna(0.0)


def own_mean(scaled: pd.DataFrame) -> pd.DataFrame:
    """Mean of the last seven rows of the stock."""
    return scaled.groupby(level=1).transform(lambda one: one.rolling(7, min_periods=1).mean())


def tuned_on_test(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> np.ndarray:
    """The penalty and the part of the samples whose model forecasts the test block best."""
    test = x.index[x.index.get_level_values(0).isin(fold.test_dates)]

    def skill(model: np.ndarray) -> float:
        scores = pd.Series(x.loc[test].fillna(0.0).to_numpy() @ model, index=test)
        return float(daily_rank_ic(scores, y["target"]).mean())

    models = [
        ridge(x, y, samples[part::4], fold, penalty)
        for part in range(4)
        for penalty in (1.0, 30.0, 1000.0)
    ]
    return max(models, key=skill)


def on_test(inputs: pd.DataFrame, y: pd.DataFrame, fold: Fold, usable: Samples) -> Samples:
    """Samples of the test block, to choose the epoch on."""
    labels = y.index[y["target"].notna() & y.index.get_level_values(0).isin(fold.test_dates)]
    return inputs.dropna().index.intersection(labels)


def without_extremes(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Scores of the test rows whose label is not extreme; the rest is dropped."""
    scores = linear_scores(model, x, test, fold, trace, y)
    label = y["target"].reindex(scores.index)
    return scores[~(label.abs() > label.abs().quantile(0.9))]


def centred_in_test(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Scores less each stock's mean score over the test block."""
    scores = linear_scores(model, x, test, fold, trace, y)
    return scores - by_symbol(scores).transform("mean")


def smoothed(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Scores averaged with those of the day before and the day after."""
    scores = by_symbol(linear_scores(model, x, test, fold, trace, y))
    return (scores.shift(1).fillna(0) + scores.shift(0) + scores.shift(-1).fillna(0)) / 3


def from_all_rows(inputs: pd.DataFrame, samples: Samples, model: np.ndarray) -> np.ndarray:
    """Integrated gradients of a linear model from the mean of all rows, averaged."""
    baseline = inputs.mean().to_numpy()
    return (inputs.loc[samples].to_numpy() - baseline).mean(axis=0) * model


def update_statistics(network: nn.Module, x: Tensor, dates: Tensor) -> None:
    """A pass in training mode over the test windows, to refresh the running statistics."""
    network.train()
    with torch.no_grad():
        network(x, dates)
    network.eval()


class BatchMean(nn.Module):
    """Hidden state less its mean over the batch, which is cut off from the graph."""

    def __init__(self, size: int) -> None:
        super().__init__()

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H)."""
        return hidden - hidden.mean(dim=0).detach()

    def start_epoch(self) -> None:
        """Nothing to do."""


class BatchRank(BatchMean):
    """Hidden state as its rank within the batch: no derivative leads to the others."""

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H)."""
        ranks = hidden.argsort(dim=0).argsort(dim=0).to(hidden.dtype)
        return hidden + ranks / len(hidden)


class OverTime(nn.Module):
    """Normalizes a sequence before an LSTM that is read at every step.

    ``instance``: by mean and sd over all steps, later ones included. ``cumulative``: by those of
    the steps so far (cLN of Luo & Mesgarani 2019).
    """

    def __init__(self, features: int, kind: str, both_ways: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.lstm = nn.LSTM(features, 8, batch_first=True, bidirectional=both_ways)
        self.head = nn.Linear(16 if both_ways else 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, F) -> (B, T)."""
        return self.head(self.lstm(self.normalized(x))[0]).squeeze(-1)

    def normalized(self, x: Tensor) -> Tensor:
        """(B, T, F) -> (B, T, F)."""
        if self.kind == "none":
            return x
        if self.kind == "instance":
            return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-3)
        count = torch.arange(1, x.shape[1] + 1, dtype=x.dtype).view(1, -1, 1)
        mean = x.cumsum(1) / count
        spread = ((x.square().cumsum(1) / count) - mean.square()).clamp_min(0).sqrt()
        return (x - mean) / (spread + 0.1)


def first_listings(x: pd.DataFrame, y: pd.DataFrame, fold: Fold) -> Samples:
    """All dates of the stocks under their first name: a split by stock, not by time."""
    labelled = x.index[x.notna().all(axis=1) & y["target"].notna()]
    return labelled[~labelled.get_level_values(1).str.endswith(".L")]


def second_listings(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Scores of the second listings on the test dates."""
    return linear_scores(
        model, x, test[test.get_level_values(1).str.endswith(".L")], fold, trace, y
    )
