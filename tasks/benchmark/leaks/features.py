"""Leaks planted in what is made of raw rows: features, universe, target, reports, duplicates."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.honest.forecaster import (
    HONEST,
    Parts,
    by_symbol,
    honest_features,
    labelled,
    with_feature,
)
from foldproof.tasks.diagnose.trace.run import Forecast

Column = Callable[[pd.DataFrame], pd.Series]


def adding(make: Column) -> Forecast:
    """The honest forecaster with one more feature."""
    return replace(HONEST, features=partial(with_feature, make)).forecaster


def making(features: Callable[[pd.DataFrame], pd.DataFrame], base: Parts = HONEST) -> Forecast:
    """The honest forecaster with other features."""
    return replace(base, features=features).forecaster


def tomorrow(rows: pd.DataFrame) -> pd.Series:
    """The return that is to be forecast, shifted the wrong way."""
    close = by_symbol(rows["close"])
    return close.shift(-2) / close.shift(-1) - 1


def next_volume(rows: pd.DataFrame) -> pd.Series:
    """Tomorrow's volume."""
    return np.log(by_symbol(rows["volume"]).shift(-1))


def centred_mean(rows: pd.DataFrame) -> pd.Series:
    """A rolling mean of returns that is centred on the day."""
    day = by_symbol(rows["close"]).pct_change(fill_method=None)
    return by_symbol(day).rolling(5, center=True, min_periods=1).mean().droplevel(0)


def back_filled(rows: pd.DataFrame) -> pd.Series:
    """Holes filled from the next value."""
    return by_symbol(rows["sentiment"]).bfill()


def interpolated(rows: pd.DataFrame) -> pd.Series:
    """Holes filled on a line between both neighbours."""
    return by_symbol(rows["sentiment"]).transform(lambda one: one.interpolate(limit_area="inside"))


def full_sample(rows: pd.DataFrame) -> pd.DataFrame:
    """All features z-scored over the whole sample."""
    x = honest_features(rows)
    return (x - x.mean()) / x.std()


def full_min_max(rows: pd.DataFrame) -> pd.DataFrame:
    """All features scaled by the whole sample's range."""
    x = honest_features(rows)
    return (x - x.min()) / (x.max() - x.min())


def full_ranks(rows: pd.DataFrame) -> pd.DataFrame:
    """All features as quantiles of the whole sample."""
    return honest_features(rows).rank(pct=True)


def full_components(rows: pd.DataFrame) -> pd.DataFrame:
    """Principal components of the whole sample."""
    x = honest_features(rows)
    scaled = ((x - x.mean()) / x.std()).to_numpy()
    axes = np.linalg.svd(scaled, full_matrices=False)[2]
    axes *= np.sign(axes[:, :1])
    names = [f"component {k}" for k in range(axes.shape[0])]
    return pd.DataFrame(scaled @ axes.T, index=x.index, columns=names)


def weekly(rows: pd.DataFrame) -> pd.Series:
    """The week's last close, spread back over the days of the week."""
    dates = pd.DatetimeIndex(rows.index.get_level_values(0))
    week = pd.Series(dates.to_period("W").astype(str), index=rows.index)
    last = rows["close"].groupby([week, rows.index.get_level_values(1)]).transform("last")
    return last / rows["close"] - 1


def monthly(rows: pd.DataFrame) -> pd.Series:
    """The month's mean sentiment on each of its days."""
    dates = pd.DatetimeIndex(rows.index.get_level_values(0))
    month = pd.Series(dates.to_period("M").astype(str), index=rows.index)
    symbol = rows.index.get_level_values(1)
    return rows["sentiment"].groupby([month, symbol]).transform("mean")


def backwards(rows: pd.DataFrame) -> pd.Series:
    """An exponential mean that runs from the end."""
    turned = by_symbol(rows["signal"].iloc[::-1])
    return turned.transform(lambda one: one.ewm(halflife=5).mean()).reindex(rows.index)


def low_pass(rows: pd.DataFrame) -> pd.Series:
    """A Fourier filter over the whole history of the stock."""

    def filtered(one: pd.Series) -> pd.Series:
        waves = np.fft.rfft(one.to_numpy())
        waves[len(waves) // 4 :] = 0
        return pd.Series(np.fft.irfft(waves, len(one)), index=one.index)

    return by_symbol(rows["signal"]).transform(filtered)


def adjusted(rows: pd.DataFrame) -> pd.Series:
    """Prices adjusted backwards, so that the last close is 100."""
    relative = rows["close"] / by_symbol(rows["close"]).transform("last")
    return pd.Series(np.log(relative), index=rows.index)


def normal_volume(rows: pd.DataFrame) -> pd.Series:
    """Volume against the stock's mean over all days."""
    return rows["volume"] / by_symbol(rows["volume"]).transform("mean")


def market_regime(rows: pd.DataFrame) -> pd.Series:
    """Whether the market's volatility that day is above its median over all days."""
    day = by_symbol(rows["close"]).pct_change(fill_method=None).groupby(level=0).std()
    regime = (day > day.median()).astype(float)
    return pd.Series(regime.reindex(rows.index.get_level_values(0)).to_numpy(), index=rows.index)


def time_to_delisting(rows: pd.DataFrame) -> pd.Series:
    """Days until the last day of the stock, at most 20."""
    left = by_symbol(rows["close"]).cumcount(ascending=False)
    return left.clip(upper=20).astype(float)


def encoded(rows: pd.DataFrame) -> pd.DataFrame:
    """Each stock by its mean target over all days, the test block's included."""
    target = HONEST.target(rows)["target"]
    return honest_features(rows).assign(encoded=by_symbol(target).transform("mean")).fillna(0.0)


def survivors(data: pd.DataFrame) -> pd.DataFrame:
    """Only stocks that are there on the last day."""
    last = data.loc[data["date"] == data["date"].max(), "symbol"]
    return data[data["symbol"].isin(last)]


def liquid(data: pd.DataFrame) -> pd.DataFrame:
    """Only the stocks with the most volume over all days."""
    mean = data.groupby("symbol")["volume"].mean()
    return data[data["symbol"].isin(mean.nlargest(len(mean) * 3 // 4).index)]


def calm(data: pd.DataFrame) -> pd.DataFrame:
    """Without the rows whose next two days' move is extreme, as if they were errors."""
    close = data.groupby("symbol")["close"]
    ahead = close.shift(-2) / close.shift(-1) - 1
    return data[(ahead.abs() < 0.035) | ahead.isna()]


def restated(rows: pd.DataFrame) -> pd.Series:
    """Book value from the end of the period on, before it was reported."""
    return rows["book"]


def as_reported(rows: pd.DataFrame) -> pd.Series:
    """Book value once it is reported; the period before until then."""
    known = rows["book_known"] <= rows.index.get_level_values(0)
    return by_symbol(rows["book"].where(known)).ffill()


def same_open(rows: pd.DataFrame) -> pd.DataFrame:
    """From the open to the close of the day whose close the features know."""
    return labelled(rows, rows["close"] / rows["open"] - 1, 0)


def same_close(rows: pd.DataFrame) -> pd.DataFrame:
    """From the close that the features know to the next close."""
    close = by_symbol(rows["close"])
    return labelled(rows, close.shift(-1) / rows["close"] - 1, 1)


def with_twins(data: pd.DataFrame) -> pd.DataFrame:
    """Half of the stocks again under a second name, as if they were listed twice."""
    names = np.sort(data["symbol"].unique())[::2]
    twins = data[data["symbol"].isin(names)]
    return pd.concat([data, twins.assign(symbol=twins["symbol"] + ".L")], ignore_index=True)
