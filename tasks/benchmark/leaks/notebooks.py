"""Forecasters that look ahead in the ways of public notebooks, beside honest/notebooks.py."""

import numpy as np
import pandas as pd
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import KFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler
from statsmodels.nonparametric.smoothers_lowess import lowess
from statsmodels.tsa.seasonal import seasonal_decompose

from foldproof.tasks.benchmark.honest.forecaster import by_symbol
from foldproof.tasks.benchmark.honest.notebooks import (
    INPUTS,
    frame,
    momentum_of,
    parts,
    scaler_reused,
    scores,
    sgd,
    stopped_on,
    xy,
)
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.rank_ic import daily_rank_ic


def scaled_before_split(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """``fit_transform`` of the whole table, then the split."""
    df = frame(data)
    complete = df.dropna(subset=INPUTS).copy()
    complete[INPUTS] = MinMaxScaler().fit_transform(complete[INPUTS])
    train, _, test = parts(complete, fold)
    return scores(Ridge(1.0).fit(*xy(train)).predict(test[INPUTS]), test)


def scaler_fitted_again(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """``fit_transform`` of the test rows too."""
    train, _, test = parts(frame(data), fold)
    scaler = StandardScaler()
    model = Ridge(1.0).fit(scaler.fit_transform(train[INPUTS]), train["y"])
    return scores(model.predict(scaler.fit_transform(test[INPUTS])), test)


def target_scaled_on_all(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """The label scaled by all of its rows."""
    df = frame(data)
    df["y"] = (df["y"] - df["y"].min()) / (df["y"].max() - df["y"].min())
    train, _, test = parts(df, fold)
    return scores(Ridge(1.0).fit(*xy(train)).predict(test[INPUTS]), test)


def imputed_on_all(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Missing inputs filled by means of all rows."""
    df = frame(data)
    df["sentiment"] = data.set_index(["date", "symbol"])["sentiment"].reindex(df.index)
    df[INPUTS] = SimpleImputer().fit_transform(df[INPUTS])
    train, _, test = parts(df, fold)
    return scores(Ridge(1.0).fit(*xy(train)).predict(test[INPUTS]), test)


def selected_on_all(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """The best feature by its F statistic on all rows."""
    df = frame(data)
    best = SelectKBest(f_regression, k=1).fit(*xy(df.dropna())).get_support()
    names = [name for name, kept in zip(INPUTS, best, strict=True) if kept]
    train, _, test = parts(df, fold)
    return scores(Ridge(1.0).fit(train[names], train["y"]).predict(test[names]), test)


def best_seed_on_test(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """The best of six seeds by rank IC on the test dates."""
    train, _, test = parts(frame(data), fold)
    made = [scores(sgd(train, seed).predict(test[INPUTS]), test) for seed in range(6)]
    known = test["y"].dropna()
    return max(made, key=lambda one: daily_rank_ic(one.reindex(known.index), known).mean())


def stopped_on_test(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Boosting stopped early by the test rows."""
    train, _, test = parts(frame(data), fold)
    return scores(stopped_on(train, test.dropna()).predict(test[INPUTS].to_numpy()), test)


def split_at_random(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """``train_test_split`` with its default shuffling over all dates."""
    df = frame(data)
    train, _ = train_test_split(df.dropna(), test_size=0.3, random_state=0)
    _, _, test = parts(df, fold)
    return scores(LinearRegression().fit(*xy(train)).predict(test[INPUTS]), test)


def out_of_fold(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Out-of-fold forecasts of a K-fold that trains on later dates too."""
    df = frame(data).dropna().sort_index()
    made = cross_val_predict(LinearRegression(), *xy(df), cv=KFold(5))
    found = scores(made, df)
    return found[found.index.get_level_values("date").isin(fold.test_dates)]


def quantiles_of_all(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Forecasts as quantiles of all forecasts."""
    found = scaler_reused(data, fold)
    turned = QuantileTransformer(n_quantiles=50).fit_transform(found.to_numpy().reshape(-1, 1))
    return scores(turned[:, 0], found.to_frame())


def full_histories(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """``dropna(axis=1)`` on the table of prices: only stocks that lived throughout."""
    wide = data.pivot(index="date", columns="symbol", values="close")
    return momentum_of(wide.dropna(axis=1), fold)


def labels_dropped(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """``dropna`` on inputs and label at once: only rows whose return is known are scored."""
    df = frame(data).dropna()
    train, _, test = parts(df, fold)
    model = make_pipeline(StandardScaler(), Ridge(1.0)).fit(*xy(train))
    return scores(model.predict(test[INPUTS]), test)


def lagged_the_wrong_way(rows: pd.DataFrame) -> pd.Series:
    """The change of price, moved a day ahead under the name of a lag."""
    return by_symbol(by_symbol(np.log(rows["close"])).diff()).shift(-1)


def centred_savgol(rows: pd.DataFrame) -> pd.Series:
    """``savgol_filter`` with its centred window."""
    from scipy.signal import savgol_filter

    return by_symbol(rows["signal"]).transform(lambda s: savgol_filter(s.to_numpy(), 7, 2))


def month_z_score(rows: pd.DataFrame) -> pd.Series:
    """Close over its mean of the calendar month."""
    dates = pd.DatetimeIndex(rows.index.get_level_values(0))
    group = [rows.index.get_level_values(1), dates.to_period("M").astype(str)]
    return rows["close"] / rows["close"].groupby(group).transform("mean") - 1


def decomposed(rows: pd.DataFrame) -> pd.Series:
    """The trend of a seasonal decomposition."""
    return by_symbol(rows["signal"]).transform(
        lambda s: seasonal_decompose(s.to_numpy(), period=5, extrapolate_trend=4).trend
    )


def local_regression(rows: pd.DataFrame) -> pd.Series:
    """The LOWESS smooth of the whole history."""
    return by_symbol(rows["signal"]).transform(
        lambda s: lowess(s.to_numpy(), np.arange(len(s)), frac=0.1, it=0, return_sorted=False)
    )
