"""Leaks between features and scores: samples, selection, scaler, windows, training, scoring."""

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.honest.forecaster import (
    Samples,
    before_test,
    by_symbol,
    linear_scores,
    moments,
    on_dates,
    ridge,
)
from foldproof.tasks.benchmark.honest.market import DAILY
from foldproof.tasks.diagnose.trace.trace import Trace
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.rank_ic import daily_rank_ic


def unpurged(x: pd.DataFrame, y: pd.DataFrame, fold: Fold) -> Samples:
    """All dates before the test block, including labels that reach into it."""
    before = x.index.get_level_values(0) < fold.test_dates[0]
    return x.index[before & y["target"].notna()]


def shuffled(x: pd.DataFrame, y: pd.DataFrame, fold: Fold) -> Samples:
    """Samples of four fifths of all dates, at random, as a shuffled K-fold takes them."""
    dates = x.index.get_level_values(0).unique()
    draw = np.random.default_rng(0).random(len(dates))
    kept = dates[draw < 0.8].union(pd.DatetimeIndex(before_test(x, y, fold).get_level_values(0)))
    return x.index[x.index.get_level_values(0).isin(kept) & y["target"].notna()]


def first_listings(x: pd.DataFrame, y: pd.DataFrame, fold: Fold) -> Samples:
    """All dates of the stocks under their first name: a split by stock, not by time."""
    labelled = x.index[x.notna().all(axis=1) & y["target"].notna()]
    return labelled[~labelled.get_level_values(1).str.endswith(".L")]


def best_by_ic(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> list[str]:
    """The three features with the highest absolute rank IC over all dates."""
    ics = {str(name): abs(daily_rank_ic(x[name], y["target"]).mean()) for name in x}
    return sorted(ics, key=lambda name: -ics[name])[:3]


def scaler_of_all(x: pd.DataFrame, samples: Samples, fold: Fold) -> pd.DataFrame:
    """Mean and sd over train, validation and test."""
    return moments(x)


def with_horizon(scaled: pd.DataFrame) -> pd.DataFrame:
    """Each row less the mean of a window that reaches two rows into the future."""
    grouped = scaled.groupby(level=1)
    mean = grouped.transform(lambda one: one.rolling(7, min_periods=1).mean().shift(-2))
    return scaled - mean.fillna(0.0)


def on_test(x: pd.DataFrame, y: pd.DataFrame, fold: Fold) -> Samples:
    """Complete samples of the test block."""
    return on_dates(x.index[x.notna().all(axis=1) & y["target"].notna()], fold.test_dates)


def skill(scores: pd.Series, y: pd.DataFrame) -> float:
    """Mean daily rank IC."""
    return float(daily_rank_ic(scores, y["target"]).mean())


def best_on_test(
    models: list[np.ndarray], x: pd.DataFrame, y: pd.DataFrame, fold: Fold
) -> np.ndarray:
    """The linear model with the highest rank IC on the test block."""
    test = on_test(x, y, fold)
    return max(models, key=lambda m: skill(pd.Series(x.loc[test].to_numpy() @ m, index=test), y))


def tuned_on_test(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> np.ndarray:
    """Penalty and training subsample chosen on the test block."""
    models = [
        ridge(x, y, samples[part::4], fold, penalty)
        for part in range(4)
        for penalty in (1.0, 30.0, 1000.0)
    ]
    return best_on_test(models, x, y, fold)


def weights_on_test(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> np.ndarray:
    """Weights of an ensemble of two models chosen on the test block."""
    first, second = (ridge(x, y, samples[part::2], fold) for part in (0, 1))
    mixed = [w * first + (1 - w) * second for w in np.linspace(0, 1, 21)]
    return best_on_test(mixed, x, y, fold)


def pruned_on_test(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> np.ndarray:
    """The feature whose removal helps most on the test block is dropped."""
    model = ridge(x, y, samples, fold)
    places = np.arange(len(model))
    return best_on_test([np.where(places == k, 0.0, model) for k in places], x, y, fold)


def refit_on_all(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> np.ndarray:
    """Refitted on all data including the test block, as for production."""
    return ridge(x, y, samples.union(on_test(x, y, fold)), fold)


def stock_means_of_all(
    x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold
) -> dict[str, object]:
    """A ridge, and each stock's mean target over all days: an embedding of one number."""
    return {"ridge": ridge(x, y, samples, fold), "own": by_symbol(y["target"]).mean() / DAILY}


def with_stock_means(
    model: dict[str, np.ndarray | pd.Series], x: pd.DataFrame, test: Samples, *_: object
) -> pd.Series:
    """Scores of the ridge plus the stock means."""
    scores = linear_scores(np.asarray(model["ridge"]), x, test)
    own = pd.Series(model["own"]).reindex(scores.index.get_level_values(1)).fillna(0.0)
    return scores + own.to_numpy()


def from_all_rows(inputs: pd.DataFrame, samples: Samples, model: np.ndarray) -> np.ndarray:
    """Mean integrated gradients of a linear model from the mean of all rows."""
    baseline = inputs.mean().to_numpy()
    return (inputs.loc[samples].to_numpy() - baseline).mean(axis=0) * model


def without_extremes(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores of the test rows with extreme labels dropped."""
    label = y["target"].reindex(scores.index).abs()
    return scores[~(label > label.quantile(0.9))]


def second_listings(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores of the second listings only."""
    return scores[scores.index.get_level_values(1).str.endswith(".L")]


def centred_in_test(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores less each stock's mean score over the test block."""
    return scores - by_symbol(scores).transform("mean")


def smoothed(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores averaged with those of the day before and the day after."""
    grouped = by_symbol(scores)
    return (grouped.shift(1).fillna(0) + grouped.shift(0) + grouped.shift(-1).fillna(0)) / 3


def sign_on_test(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """The sign of the scores chosen on the test block."""
    return scores if skill(scores, y) >= 0 else -scores


def threshold_on_test(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores damped below the threshold that is best on the test block."""
    tried = [scores.where(scores > q, scores * 0.1) for q in scores.quantile([0.2, 0.4, 0.6, 0.8])]
    return max(tried, key=lambda one: skill(one, y))


def calibrated_on_test(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores scaled by a regression on the targets of the test block."""
    target = y["target"].reindex(scores.index)
    slope = (scores * target).mean() / (scores**2).mean()
    return scores * (slope / DAILY)


def percentiles(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores as percentiles of the whole test block."""
    return scores.rank(pct=True)


def own_scale(model: np.ndarray, x: pd.DataFrame, test: Samples, *_: object) -> pd.Series:
    """Test inputs standardized by their own moments: fit_transform in place of transform."""
    rows = x.loc[test].dropna()
    return linear_scores(model, (rows - rows.mean()) / rows.std(), rows.index)


def known_by(y: pd.DataFrame, samples: Samples, date: object, wait: bool) -> np.ndarray:
    """(n,) bool: labels known on ``date`` with ``wait``, else all labels dated up to it."""
    dates = y["label_end"].reindex(samples) if wait else samples.get_level_values(0)
    return np.asarray(dates <= date)


def learning(scores: pd.Series, y: pd.DataFrame, wait: bool) -> pd.Series:
    """Scores plus each stock's mean error so far; with ``wait`` of known labels only: honest."""
    errors = (y["target"].reindex(scores.index) / DAILY - scores).fillna(0.0)
    out = []
    for date, today in scores.groupby(level=0):
        mean = by_symbol(errors[known_by(y, scores.index, date, wait)]).mean()
        own = mean.reindex(today.index.get_level_values(1)).fillna(0.0).to_numpy()
        out.append(today + 0.3 * own)
    return pd.concat(out)


def refitting(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame,
    wait: bool, every: int = 10,
) -> pd.Series:  # fmt: skip
    """A ridge refitted every ten test dates; with ``wait`` on known labels only: honest."""
    complete = x.index[x.notna().all(axis=1) & y["target"].notna()]
    dates, out = np.unique(test.get_level_values(0)), []
    for start in range(0, len(dates), every):
        fitted = ridge(x, y, complete[known_by(y, complete, dates[start], wait)], fold)
        block = on_dates(test, dates[start : start + every])
        out.append(linear_scores(fitted, x, block, fold, trace, y))
    return pd.concat(out)
