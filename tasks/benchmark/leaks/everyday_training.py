"""What practitioners do to samples, models and scores without meaning to look ahead."""

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.honest.forecaster import (
    Samples,
    by_symbol,
    linear_scores,
    on_dates,
    ridge,
)
from foldproof.tasks.diagnose.trace.trace import Trace
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.rank_ic import daily_rank_ic


def on_test(x: pd.DataFrame, y: pd.DataFrame, fold: Fold) -> Samples:
    """Samples of the test block with a label."""
    return on_dates(x.index[x.notna().all(axis=1) & y["target"].notna()], fold.test_dates)


def skill(scores: pd.Series, y: pd.DataFrame) -> float:
    """Mean daily rank IC."""
    return float(daily_rank_ic(scores, y["target"]).mean())


def stock_means_of_all(
    x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold
) -> dict[str, object]:
    """A ridge, and for each stock the mean target of all days: an embedding of one number."""
    return {"ridge": ridge(x, y, samples, fold), "own": by_symbol(y["target"]).mean() / 0.02}


def with_stock_means(
    model: dict[str, np.ndarray | pd.Series], x: pd.DataFrame, test: Samples, fold: Fold,
    trace: Trace, y: pd.DataFrame,
) -> pd.Series:  # fmt: skip
    """Scores of both."""
    scores = linear_scores(np.asarray(model["ridge"]), x, test, fold, trace, y)
    own = pd.Series(model["own"]).reindex(scores.index.get_level_values(1)).fillna(0.0)
    return scores + own.to_numpy()


def weights_on_test(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> np.ndarray:
    """Two models averaged with the weights that forecast the test block best."""
    test = on_test(x, y, fold)
    first, second = (ridge(x, y, samples[part::2], fold) for part in (0, 1))
    mixed = [w * first + (1 - w) * second for w in np.linspace(0, 1, 21)]
    return max(mixed, key=lambda m: skill(pd.Series(x.loc[test].to_numpy() @ m, index=test), y))


def refit_on_all(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> np.ndarray:
    """Fitted once more on everything after the validation, as one does for production."""
    return ridge(x, y, samples.union(on_test(x, y, fold)), fold)


def pruned_on_test(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> np.ndarray:
    """The weight whose removal helps most in the test block is set to 0."""
    test, model = on_test(x, y, fold), ridge(x, y, samples, fold)
    pruned = [np.where(np.arange(len(model)) == k, 0.0, model) for k in range(len(model))]
    return max(pruned, key=lambda m: skill(pd.Series(x.loc[test].to_numpy() @ m, index=test), y))


def sign_on_test(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Scores turned where their rank IC on the test block is negative."""
    scores = linear_scores(model, x, test, fold, trace, y)
    return scores if skill(scores, y) >= 0 else -scores


def threshold_on_test(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Scores below the threshold that is best on the test block are muted."""
    scores = linear_scores(model, x, test, fold, trace, y)
    tried = [scores.where(scores > q, scores * 0.1) for q in scores.quantile([0.2, 0.4, 0.6, 0.8])]
    return max(tried, key=lambda one: skill(one, y))


def calibrated_on_test(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Scores brought to the scale of the test block's targets by regression."""
    scores = linear_scores(model, x, test, fold, trace, y)
    target = y["target"].reindex(scores.index)
    slope = (scores * target).mean() / (scores**2).mean()
    return scores * (slope / 0.02)


def own_scale(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Test inputs standardized by themselves: fit_transform where transform was meant."""
    rows = x.loc[test].dropna()
    return linear_scores(model, (rows - rows.mean()) / rows.std(), rows.index, fold, trace, y)


def learning(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame,
    wait: bool,
) -> pd.Series:  # fmt: skip
    """Each date's stocks get their mean error so far added; with ``wait`` of known labels only."""
    scores = linear_scores(model, x, test, fold, trace, y)
    errors = (y["target"].reindex(scores.index) / 0.02 - scores).fillna(0.0)
    ends = y["label_end"].reindex(scores.index)
    out = []
    for date, today in scores.groupby(level=0):
        dates = scores.index.get_level_values(0)
        known = (ends <= date).to_numpy() if wait else np.asarray(dates <= date)
        mean = by_symbol(errors[known]).mean()
        own = mean.reindex(today.index.get_level_values(1)).fillna(0.0).to_numpy()
        out.append(today + 0.3 * own)
    return pd.concat(out)


def refitting(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame,
    wait: bool, every: int = 10,
) -> pd.Series:  # fmt: skip
    """A ridge fitted anew every ten test dates; with ``wait`` on labels known by then only."""
    whole = x.index[x.notna().all(axis=1) & y["target"].notna()]
    dates, out = np.unique(test.get_level_values(0)), []
    for start in range(0, len(dates), every):
        ends = y["label_end"].reindex(whole)
        known = (ends <= dates[start]).to_numpy() if wait else np.asarray(
            whole.get_level_values(0) <= dates[start]
        )  # fmt: skip
        fitted = ridge(x, y, whole[known], fold)
        block = test[test.get_level_values(0).isin(dates[start : start + every])]
        out.append(linear_scores(fitted, x, block, fold, trace, y))
    return pd.concat(out)


def later_peers(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Scores as percentiles of the whole test block."""
    return linear_scores(model, x, test, fold, trace, y).rank(pct=True)
