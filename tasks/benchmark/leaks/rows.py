"""Universes and targets that look ahead."""

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.honest.forecaster import by_symbol, labelled, next_close


def survivors(data: pd.DataFrame) -> pd.DataFrame:
    """Only stocks that still exist on the last day."""
    last = data.loc[data["date"] == data["date"].max(), "symbol"]
    return data[data["symbol"].isin(last)]


def liquid(data: pd.DataFrame) -> pd.DataFrame:
    """Only the stocks with the most volume over all days."""
    mean = data.groupby("symbol")["volume"].mean()
    return data[data["symbol"].isin(mean.nlargest(len(mean) * 3 // 4).index)]


def calm(data: pd.DataFrame) -> pd.DataFrame:
    """Rows before an extreme move removed as if they were errors."""
    close = data.groupby("symbol")["close"]
    ahead = close.shift(-2) / close.shift(-1) - 1
    return data[(ahead.abs() < 0.035) | ahead.isna()]


def without_outliers(data: pd.DataFrame) -> pd.DataFrame:
    """Rows removed whose volume is far from the mean of the whole sample."""
    z = (data["volume"] - data["volume"].mean()) / data["volume"].std()
    return data[z < 2.0]


def index_of_today(data: pd.DataFrame) -> pd.DataFrame:
    """The ten stocks with the highest price on the last day."""
    last = data[data["date"] == data["date"].max()].nlargest(10, "close")["symbol"]
    return data[data["symbol"].isin(last)]


def with_label(data: pd.DataFrame) -> pd.DataFrame:
    """Rows without a label removed, as a dropna over features and labels does."""
    return data[data.groupby("symbol")["close"].shift(-2).notna()]


def often_traded(data: pd.DataFrame) -> pd.DataFrame:
    """Rows of the date's least traded stocks removed; the pipeline then takes rows for days.

    The choice is by trailing volume, so the universe is honest. But a label then spans the days on
    which the stock is out, and a purge that counts days is too short for it.
    """
    mean = data.groupby("symbol")["volume"].transform(lambda one: one.rolling(20, 1).mean())
    return data[mean >= mean.groupby(data["date"]).transform("quantile", 0.25)]


def with_dual_listings(data: pd.DataFrame) -> pd.DataFrame:
    """Half of the stocks listed again under a second name."""
    names = np.sort(data["symbol"].unique())[::2]
    again = data[data["symbol"].isin(names)]
    return pd.concat([data, again.assign(symbol=again["symbol"] + ".L")], ignore_index=True)


def same_open(rows: pd.DataFrame) -> pd.DataFrame:
    """Return from the open to the close of the day whose close is a feature."""
    return labelled(rows, rows["close"] / rows["open"] - 1, 0)


def same_close(rows: pd.DataFrame) -> pd.DataFrame:
    """Return from the close that is a feature to the next close."""
    return labelled(rows, by_symbol(rows["close"]).shift(-1) / rows["close"] - 1, 1)


def in_units(rows: pd.DataFrame) -> pd.DataFrame:
    """The target over the standard deviation of all targets."""
    y = next_close(rows)
    return y.assign(target=y["target"] / y["target"].std())


def clipped(rows: pd.DataFrame) -> pd.DataFrame:
    """The target clipped at quantiles of all targets."""
    y = next_close(rows)
    low, high = y["target"].quantile([0.02, 0.98])
    return y.assign(target=y["target"].clip(low, high))


def longer_than_stated(rows: pd.DataFrame) -> pd.DataFrame:
    """Labels over five days with the label end of one day."""
    return next_close(rows, 5).assign(label_end=next_close(rows)["label_end"])


def of_other_stock(rows: pd.DataFrame) -> pd.DataFrame:
    """The next row's close over this one's in a table sorted by date, without a groupby."""
    return labelled(rows, rows["close"].shift(-1) / rows["close"] - 1, 2)


def smoothed(rows: pd.DataFrame) -> pd.DataFrame:
    """The target averaged with those of the next two days, with the label end of the first."""
    y = next_close(rows)
    ahead = by_symbol(y["target"])
    return y.assign(target=(y["target"] + ahead.shift(-1) + ahead.shift(-2)) / 3)
