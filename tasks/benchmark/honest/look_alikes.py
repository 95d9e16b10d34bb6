"""Honest pipelines that look leaky; flagging one is a false alarm."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import TimeSeriesSplit

from foldproof.tasks.benchmark.honest.forecaster import (
    Samples,
    by_symbol,
    daily_return,
    honest_features,
    moments,
    next_close,
    on_dates,
    regression_data,
    ridge,
)
from foldproof.tasks.benchmark.honest.market import DAILY
from foldproof.tasks.diagnose.trace.trace import Trace
from foldproof.tasks.split import Fold


def standardized(rows: pd.DataFrame, over: str, lag: int = 0, **size: float) -> pd.DataFrame:
    """Each feature's z-score by moments of its stock ``over`` a pandas window ``lag`` days ago."""
    x = honest_features(rows)

    def moment(name: str) -> pd.DataFrame:
        by_stock = x.groupby(level=1)
        return by_stock.transform(
            lambda one: getattr(getattr(one, over)(**size), name)().shift(lag)
        )

    mean, sd = moment("mean"), moment("std")
    return ((x - mean) / sd.where(sd > 1e-9)).fillna(0.0)


def cross_section(rows: pd.DataFrame) -> pd.DataFrame:
    """Each feature's z-score among the stocks of its date."""
    x = honest_features(rows)
    by_date = x.groupby(level=0)
    sd = by_date.transform("std").replace(0.0, 1.0)
    return ((x - by_date.transform("mean")) / sd).fillna(0.0)


def cross_rank(rows: pd.DataFrame) -> pd.DataFrame:
    """Each feature's rank among the stocks of its date."""
    return honest_features(rows).groupby(level=0).rank(pct=True) - 0.5


def winsorized(rows: pd.DataFrame) -> pd.DataFrame:
    """Each feature clipped at quantiles of its date."""
    x = honest_features(rows)
    by_date = x.groupby(level=0)
    low, high = (by_date.transform("quantile", q) for q in (0.1, 0.9))
    return x.clip(low, high)


def age(rows: pd.DataFrame) -> pd.Series:
    """Days since the stock was listed."""
    return by_symbol(rows["close"]).cumcount() / 100.0


def mean_of_known_labels(rows: pd.DataFrame, over: str, **size: int) -> pd.Series:
    """Mean of the stock's known labels ``over`` a pandas window."""
    known = by_symbol(next_close(rows)["target"]).shift(2)
    mean = getattr(by_symbol(known), over)(**size).mean()
    return mean.droplevel(0).fillna(0.0) / DAILY


def sector_mean(rows: pd.DataFrame) -> pd.Series:
    """Mean return of the stocks of the sector on the date."""
    day = daily_return(rows).fillna(0.0)
    return day.groupby([rows.index.get_level_values(0), rows["sector"]]).transform("mean") / DAILY


def weekday(rows: pd.DataFrame) -> pd.Series:
    """Day of the week and days to the end of the month, by the calendar."""
    dates = pd.DatetimeIndex(rows.index.get_level_values(0))
    left = dates.days_in_month - dates.day
    return pd.Series((dates.day_of_week + left / 31.0).to_numpy(dtype=np.float64), index=rows.index)


def missing_so_far(rows: pd.DataFrame) -> pd.Series:
    """Share of the last ten days without sentiment."""
    missing = rows["sentiment"].isna().astype(float)
    return by_symbol(missing).rolling(10, min_periods=1).mean().droplevel(0)


def high_so_far(rows: pd.DataFrame) -> pd.Series:
    """Price over its highest so far."""
    return rows["close"] / by_symbol(rows["close"]).cummax()


def in_single(rows: pd.DataFrame) -> pd.DataFrame:
    """Cumulative means in float32, which round differently at every length."""
    x = honest_features(rows).astype(np.float32)
    return x.groupby(level=1).transform(lambda one: one.expanding().mean().astype(np.float32))


def often_traded(rows: pd.DataFrame) -> pd.DataFrame:
    """Features of the stocks whose mean volume of the last 20 days is not in the lowest quarter.

    Rows of the other stocks stay, without features, so labels span the stated number of days.
    """
    mean = by_symbol(rows["volume"]).transform(lambda one: one.rolling(20, 1).mean())
    return honest_features(rows).where(mean >= mean.groupby(level=0).transform("quantile", 0.25))


def scaler_with_validation(x: pd.DataFrame, samples: Samples, fold: Fold) -> pd.DataFrame:
    """Mean and sd on training and validation dates, both before the test block."""
    dates = np.concatenate([fold.train_dates, fold.validation_dates])
    return moments(x.loc[on_dates(samples, dates)])


def stopped_on_validation(
    x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold
) -> HistGradientBoostingRegressor:
    """Boosted trees stopped early on the validation dates."""
    train, held = (on_dates(samples, dates) for dates in (fold.train_dates, fold.validation_dates))
    model = HistGradientBoostingRegressor(
        max_iter=15, min_samples_leaf=20, early_stopping=True, n_iter_no_change=3, random_state=0
    )
    return model.fit(x.loc[train].to_numpy(), y.loc[train, "target"].to_numpy(),
                     X_val=x.loc[held].to_numpy(),
                     y_val=y.loc[held, "target"].to_numpy())  # fmt: skip


def stopped_on_some_dates(
    x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold
) -> np.ndarray:
    """The best penalty on a random fifth of the samples: poor practice, but before the test."""
    held = np.random.default_rng(0).random(len(samples)) < 0.2
    models = [ridge(x, y, samples[~held], fold, penalty) for penalty in (1.0, 30.0, 1000.0)]
    a, b = regression_data(x, y, samples[held])
    return min(models, key=lambda model: float(np.square(a @ model - b).mean()))


def cross_validated(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> RidgeCV:
    """The penalty by cross-validation in time order within the training samples."""
    model = RidgeCV(np.array([1.0, 30.0, 1000.0]), cv=TimeSeriesSplit(3, gap=40))
    return model.fit(*regression_data(x, y, samples.sort_values()))


def subsampled(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> np.ndarray:
    """Mean of five models, each on a seeded half of the samples."""
    draws = [np.random.default_rng(seed).random(len(samples)) < 0.5 for seed in range(5)]
    return np.mean([ridge(x, y, samples[drawn], fold) for drawn in draws], axis=0)


def weighted_by_age(x: pd.DataFrame, y: pd.DataFrame, samples: Samples, fold: Fold) -> Ridge:
    """Samples weighted less the longer before the test block they are."""
    days = (fold.test_dates[0] - samples.get_level_values(0).to_numpy()) / np.timedelta64(1, "D")
    return Ridge(30.0).fit(*regression_data(x, y, samples), sample_weight=0.99**days)


def predicted(model: Any, x: pd.DataFrame, test: Samples, *_: object) -> pd.Series:
    """Scores of a scikit-learn model."""
    rows = x.loc[test].dropna()
    return pd.Series(model.predict(rows.to_numpy()), index=rows.index)


def carried(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores smoothed with those of the days before."""
    return by_symbol(scores).transform(lambda one: one.ewm(halflife=2, adjust=False).mean())


def in_units_so_far(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores over the standard deviation of all scores so far."""
    scores = scores.sort_index()
    by_date = scores.groupby(level=0).agg(lambda one: float(np.square(one).mean()))
    so_far = np.sqrt(by_date.expanding().mean())
    return scores / so_far.reindex(scores.index.get_level_values(0)).to_numpy()


def sector_neutral(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores less the mean of the date's stocks with the same last digit, as ranks."""
    group = scores.index.get_level_values(1).str[-1]
    relative = scores - scores.groupby([scores.index.get_level_values(0), group]).transform("mean")
    return relative.groupby(level=0).rank(pct=True) + 1e-3 * scores


def unseeded(scores: pd.Series, y: pd.DataFrame) -> pd.Series:
    """Scores with a little noise that differs from run to run."""
    return scores + 0.01 * np.random.default_rng().standard_normal(len(scores))


def by_own_mean(
    model: np.ndarray, x: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """Each stock's mean target on the training dates; no test row is read."""
    learned = on_dates(y.index[y["target"].notna()], fold.train_dates)
    mean = by_symbol(y.loc[learned, "target"]).mean()
    own = mean.reindex(test.get_level_values(1)).fillna(0.0)
    return pd.Series(own.to_numpy() / DAILY, index=test)
