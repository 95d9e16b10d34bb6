"""What practitioners do to universe and target without meaning to look ahead."""

import pandas as pd

from foldproof.tasks.benchmark.honest.forecaster import by_symbol, labelled, next_close


def without_outliers(data: pd.DataFrame) -> pd.DataFrame:
    """Without the rows whose volume is far from the mean of the whole sample."""
    z = (data["volume"] - data["volume"].mean()) / data["volume"].std()
    return data[z < 2.0]


def index_of_today(data: pd.DataFrame) -> pd.DataFrame:
    """The ten dearest stocks of the last day."""
    last = data[data["date"] == data["date"].max()].nlargest(10, "close")["symbol"]
    return data[data["symbol"].isin(last)]


def with_label(data: pd.DataFrame) -> pd.DataFrame:
    """Without the rows that have no label, as a dropna over features and labels does."""
    return data[data.groupby("symbol")["close"].shift(-2).notna()]


def often_traded(data: pd.DataFrame) -> pd.DataFrame:
    """Without the date's least traded stocks; what follows takes the next row for the next day.

    By trailing volume, so who is in is honest. But labels then span the days on which the stock is
    out, and the purge that counts days is too short for them.
    """
    mean = data.groupby("symbol")["volume"].transform(lambda one: one.rolling(20, 1).mean())
    return data[mean >= mean.groupby(data["date"]).transform("quantile", 0.25)]


def target_in_units(rows: pd.DataFrame) -> pd.DataFrame:
    """The target in standard deviations of all targets."""
    y = next_close(rows)
    return y.assign(target=y["target"] / y["target"].std())


def target_clipped(rows: pd.DataFrame) -> pd.DataFrame:
    """The target clipped at quantiles of all targets."""
    y = next_close(rows)
    low, high = y["target"].quantile([0.02, 0.98])
    return y.assign(target=y["target"].clip(low, high))


def longer_than_said(rows: pd.DataFrame) -> pd.DataFrame:
    """Labels over five days that say they are known after one."""
    return next_close(rows, 5).assign(label_end=next_close(rows)["label_end"])


def of_other_stock(rows: pd.DataFrame) -> pd.DataFrame:
    """The next row's close against this one's in a table sorted by date: no groupby."""
    return labelled(rows, rows["close"].shift(-1) / rows["close"] - 1, 2)


def smoothed_target(rows: pd.DataFrame) -> pd.DataFrame:
    """The target averaged with the next two days', known when the first of them is."""
    y = next_close(rows)
    ahead = by_symbol(y["target"])
    return y.assign(target=(y["target"] + ahead.shift(-1) + ahead.shift(-2)) / 3)
