"""Forecasters and features as notebooks have them, written so that nothing looks ahead.

Most take ``(data, fold)`` and trace nothing. Their leaky counterparts are in leaks/notebooks.py.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from scipy import signal
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn

from foldproof.tasks.benchmark.honest.forecaster import by_symbol, daily_return, next_close
from foldproof.tasks.benchmark.honest.market import DAILY
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.rank_ic import daily_rank_ic

INPUTS = ["ret_1", "ret_5", "vol", "volume", "signal", "sentiment"]
BARS = 5
"""Days in a window."""
Fitted = Callable[[pd.DataFrame], Any]


def frame(data: pd.DataFrame) -> pd.DataFrame:
    """Inputs, label and date by stock; the label is the return from the next close."""
    df = data.sort_values(["symbol", "date"]).set_index(["date", "symbol"])
    close = df.groupby("symbol")["close"]
    df["ret_1"], df["ret_5"] = close.pct_change(), close.pct_change(5)
    df["vol"] = df.groupby("symbol")["ret_1"].transform(lambda r: r.rolling(10, 3).std())
    df["volume"] = np.log(df["volume"])
    df["sentiment"] = df.groupby("symbol")["sentiment"].ffill()
    df["y"] = (close.shift(-2) / close.shift(-1) - 1) / DAILY
    return df[[*INPUTS, "y", "close", "sector"]]


def parts(df: pd.DataFrame, fold: Fold) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Complete rows of the training and validation dates, and the rows of the test dates."""
    day = df.index.get_level_values("date")
    train, held, test = (
        df[day.isin(dates)] for dates in (fold.train_dates, fold.validation_dates, fold.test_dates)
    )
    return train.dropna(), held.dropna(), test.dropna(subset=INPUTS)


def scores(values: Any, rows: pd.DataFrame) -> pd.Series:
    """Forecasts of ``rows``."""
    return pd.Series(np.asarray(values, dtype=float), index=rows.index)


def tested(wide: pd.DataFrame, fold: Fold) -> pd.Series:
    """Forecasts of the test dates from a table of dates and stocks."""
    long: Any = wide[wide.index.isin(fold.test_dates)].stack()
    return long.rename_axis(["date", "symbol"])


def scaled_on_train(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Min-max scaling fitted on the training dates, and a ridge regression."""
    train, _, test = parts(frame(data), fold)
    scaler = MinMaxScaler().fit(train[INPUTS])
    model = Ridge(1.0).fit(scaler.transform(train[INPUTS]), train["y"])
    return scores(model.predict(scaler.transform(test[INPUTS])), test)


def scaler_reused(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """The training scaler transforms the test rows too."""
    train, _, test = parts(frame(data), fold)
    model = make_pipeline(StandardScaler(), Ridge(1.0)).fit(train[INPUTS], train["y"])
    return scores(model.predict(test[INPUTS]), test)


def target_scaled_on_train(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """The label scaled by its training rows, and the forecast scaled back."""
    train, _, test = parts(frame(data), fold)
    scaler = StandardScaler().fit(train[["y"]])
    model = Ridge(1.0).fit(train[INPUTS], scaler.transform(train[["y"]])[:, 0])
    return scores(scaler.inverse_transform(model.predict(test[INPUTS]).reshape(-1, 1))[:, 0], test)


def imputed_on_train(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Missing inputs filled by means of the training rows."""
    df = frame(data)
    df["sentiment"] = data.set_index(["date", "symbol"])["sentiment"].reindex(df.index)
    day = df.index.get_level_values("date")
    train, test = df[day.isin(fold.train_dates)].dropna(subset=["y"]), df[day.isin(fold.test_dates)]
    model = make_pipeline(SimpleImputer(), StandardScaler(), Ridge(1.0))
    return scores(model.fit(train[INPUTS], train["y"]).predict(test[INPUTS]), test)


def selected_on_train(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """The three best features by their F statistic on the training rows."""
    train, _, test = parts(frame(data), fold)
    model = make_pipeline(StandardScaler(), SelectKBest(f_regression, k=3), Ridge(1.0))
    return scores(model.fit(train[INPUTS], train["y"]).predict(test[INPUTS]), test)


def best_seed_on_validation(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """The best of six seeds by rank IC on the validation dates."""
    train, held, test = parts(frame(data), fold)
    models = [sgd(train, seed) for seed in range(6)]
    ics = [daily_rank_ic(scores(m.predict(held[INPUTS]), held), held["y"]).mean() for m in models]
    return scores(models[int(np.argmax(ics))].predict(test[INPUTS]), test)


def sgd(train: pd.DataFrame, seed: int) -> Any:
    """A linear model trained for a few passes."""
    model = SGDRegressor(max_iter=3, tol=None, random_state=seed)
    return make_pipeline(StandardScaler(), model).fit(train[INPUTS], train["y"])


def boosted(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Boosting with early stopping on the validation dates."""
    train, held, test = parts(frame(data), fold)
    return scores(stopped_on(train, held).predict(test[INPUTS].to_numpy()), test)


def stopped_on(train: pd.DataFrame, held: pd.DataFrame) -> HistGradientBoostingRegressor:
    """Trees on ``train`` until ``held`` gets no better."""
    model = HistGradientBoostingRegressor(
        max_iter=12, max_leaf_nodes=4, early_stopping=True, n_iter_no_change=2, random_state=0
    )
    return model.fit(train[INPUTS].to_numpy(), train["y"], X_val=held[INPUTS].to_numpy(),
                     y_val=held["y"])  # fmt: skip


def walk_forward(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """A new model every ten test dates, on rows whose labels are known by then."""
    df = frame(data)
    _, _, test = parts(df, fold)
    day = df.index.get_level_values("date")
    found = []
    for first in range(0, len(fold.test_dates), 10):
        block = fold.test_dates[first : first + 10]
        last = fold.calendar[np.searchsorted(fold.calendar, block[0]) - 2]
        known = df[day <= pd.Timestamp(last)].dropna()
        rows = test[test.index.get_level_values("date").isin(block)]
        if len(rows):
            model = LinearRegression().fit(known[INPUTS], known["y"])
            found.append(scores(model.predict(rows[INPUTS]), rows))
    return pd.concat(found)


def updated_daily(data: pd.DataFrame, fold: Fold, wait: int = 2) -> pd.Series:
    """A linear model with a gradient step a day on the labels of ``wait`` dates before."""
    df = frame(data).fillna({"sentiment": 0.0}).dropna(subset=INPUTS).sort_index()
    train = df[df.index.get_level_values("date").isin(fold.train_dates)].dropna()
    centre, sd = train[INPUTS].mean(), train[INPUTS].std()
    x, y = ((df[INPUTS] - centre) / sd).to_numpy(), df["y"].to_numpy()
    weights = Ridge(1.0).fit((train[INPUTS] - centre) / sd, train["y"]).coef_
    place = np.searchsorted(fold.calendar, df.index.get_level_values("date").to_numpy())
    made = np.full(len(df), np.nan)
    for day in fold.test:
        learned = (place == day - wait) & np.isfinite(y)
        weights = weights + 0.01 * (y[learned] - x[learned] @ weights) @ x[learned]
        made[place == day] = x[place == day] @ weights
    return scores(made, df).dropna()


def analogues(data: pd.DataFrame, fold: Fold, all_days: bool = False) -> pd.Series:
    """Mean label of the most similar rows of the training dates, or of all days."""
    df = frame(data)
    train, held, test = parts(df, fold)
    past = df.dropna() if all_days else pd.concat([train, held])
    centre, sd = train[INPUTS].mean(), train[INPUTS].std()
    from_, to = (((rows[INPUTS] - centre) / sd).to_numpy() for rows in (past, test))
    distance = ((to[:, None] - from_[None]) ** 2).sum(axis=2)
    nearest = np.argpartition(distance, 15, axis=1)[:, 1:15]
    return scores(past["y"].to_numpy()[nearest].mean(axis=1), test)


def quantile_by_date(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Forecasts as quantiles of their date."""
    found = scaler_reused(data, fold)
    return found.groupby(level="date").rank(pct=True) + 1e-3 * found


def detrended(data: pd.DataFrame, fold: Fold, until: int | None = None) -> pd.Series:
    """Log price below its linear trend over the training dates, or the first ``until`` dates."""
    wide: Any = np.log(data.pivot(index="date", columns="symbol", values="close"))
    stop = fold.train.stop if until is None else until
    x = np.arange(len(wide))
    out = {}
    for name, one in wide.items():
        given = one.iloc[:stop].dropna()
        if len(given) > 10:
            slope, level = np.polyfit(x[wide.index.get_indexer(given.index)], given, 1)
            out[name] = level + slope * x - one
    return tested(pd.DataFrame(out), fold)


def autoregressive(data: pd.DataFrame, fold: Fold, everything: bool = False) -> pd.Series:
    """Each stock's AR(1) forecast, the coefficient from the training dates or from all."""
    wide = data.pivot(index="date", columns="symbol", values="close").pct_change(fill_method=None)
    given = wide if everything else wide[wide.index.isin(fold.train_dates)]
    slope = (given * given.shift(1)).mean() / given.shift(1).pow(2).mean()
    return tested(wide * slope, fold)


def inverse_volatility(data: pd.DataFrame, fold: Fold, everything: bool = False) -> pd.Series:
    """The signal over each stock's volatility so far, or over that of all days."""
    df = frame(data)
    by_stock = df.groupby(level="symbol")["ret_1"]
    vol = by_stock.transform("std" if everything else lambda r: r.expanding(5).std())
    out = (df["signal"] / vol).dropna()
    return out[out.index.get_level_values("date").isin(fold.test_dates)]


def listed_at_start(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Momentum of the stocks that have every price of the training dates."""
    wide = data.pivot(index="date", columns="symbol", values="close")
    full = wide.loc[wide.index.isin(fold.train_dates)].dropna(axis=1).columns
    return momentum_of(wide[full], fold)


def momentum_of(wide: pd.DataFrame, fold: Fold) -> pd.Series:
    """Return over ten days."""
    return tested(wide.pct_change(10, fill_method=None), fold)


def carried_prices(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Prices on every weekday, carried over gaps, and momentum where the stock traded."""
    wide = data.pivot(index="date", columns="symbol", values="close").asfreq("B").ffill()
    found = momentum_of(wide, fold)
    return found[found.index.isin(pd.MultiIndex.from_frame(data[["date", "symbol"]]))]


def one_hot(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Sectors as indicator columns beside the inputs."""
    df = frame(data)
    df = df.drop(columns="sector").join(pd.get_dummies(df["sector"], dtype=float))
    names = [*INPUTS, *(n for n in df if str(n).startswith("sector "))]
    day = df.index.get_level_values("date")
    blocks = (fold.train_dates, fold.test_dates)
    train, test = (df[day.isin(dates)].dropna(subset=names) for dates in blocks)
    model = Ridge(1.0).fit(train.dropna()[names], train.dropna()["y"])
    return scores(model.predict(test[names]), test)


def labels_dropped_in_training(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Rows without a label are dropped for training only; all test rows are scored."""
    df = frame(data)
    day = df.index.get_level_values("date")
    model = LinearRegression().fit(*xy(df[day.isin(fold.train_dates)].dropna()))
    test = df[day.isin(fold.test_dates)].dropna(subset=INPUTS)
    return scores(model.predict(test[INPUTS]), test)


def xy(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Inputs and label."""
    return rows[INPUTS], rows["y"]


class Net(nn.Module):
    """An LSTM over windows (B, T, F), with a batch norm if asked for."""

    def __init__(self, batch_first: bool = True, norm: bool = False) -> None:
        super().__init__()
        self.lstm = nn.LSTM(len(INPUTS), 6, batch_first=batch_first)
        self.norm = nn.BatchNorm1d(6) if norm else nn.Identity()
        self.out = nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, F) -> (B,)."""
        return self.out(self.norm(self.lstm(x)[0][:, -1])).squeeze(-1)


def windows(df: pd.DataFrame, ahead: int = 0) -> tuple[np.ndarray, pd.Index]:
    """(N, T, F) windows, each normalized by its own mean and sd, and their (date, symbol).

    ``ahead`` more days count in mean and sd.
    """
    found, keys = [], []
    for _, one in df.groupby(level="symbol"):
        x = one[INPUTS].to_numpy()
        for end in range(BARS, len(x) + 1):
            own = x[end - BARS : end + ahead]
            found.append((x[end - BARS : end] - own.mean(0)) / (own.std(0) + 1e-3))
            keys.append(one.index[end - 1])
    return np.stack(found), pd.MultiIndex.from_tuples(keys, names=["date", "symbol"])


def network(
    data: pd.DataFrame,
    fold: Fold,
    training: bool = False,
    batch_first: bool = True,
    norm: bool = True,
    ahead: int = 0,
) -> pd.Series:
    """An LSTM trained for two epochs and scored in eval mode, all test windows at once."""
    df = frame(data)
    x, keys = windows(df.dropna(subset=INPUTS), ahead)
    label, day = df["y"].reindex(keys).to_numpy(), keys.get_level_values("date")
    learn = day.isin(fold.train_dates) & np.isfinite(label)
    inputs, target = torch.tensor(x).float(), torch.tensor(label).float()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net(batch_first, norm)
        optimizer = torch.optim.Adam(net.parameters(), 0.01)
        for _ in range(2):
            for batch in torch.tensor(np.flatnonzero(learn))[torch.randperm(learn.sum())].split(64):
                optimizer.zero_grad()
                nn.functional.mse_loss(net(inputs[batch]), target[batch]).backward()
                optimizer.step()
    test = np.flatnonzero(day.isin(fold.test_dates))
    with torch.no_grad():
        made = net.train(training)(inputs[test])
    return pd.Series(made.double().numpy(), index=keys[test])


def lagged_difference(rows: pd.DataFrame) -> pd.Series:
    """Yesterday's change of price."""
    return by_symbol(by_symbol(np.log(rows["close"])).diff()).shift(1)


def on_balance(rows: pd.DataFrame, newest_first: bool = False) -> pd.Series:
    """Change over ten days of signed volume summed from the first day, or from the last."""
    signed = np.sign(daily_return(rows).fillna(0.0)) * np.log(rows["volume"])
    ordered = signed.iloc[::-1] if newest_first else signed
    return by_symbol(ordered).cumsum().reindex(rows.index) / 100.0


def weekly_bar(rows: pd.DataFrame, label: Literal["left", "right"] = "right") -> pd.Series:
    """The close of the last finished week, by ``label`` on its Friday or on the Friday before."""
    wide = rows["close"].unstack()
    bars = wide.resample("W-FRI", label=label, closed="right").last().pct_change(fill_method=None)
    if label == "right":  # a week that has not ended yet has no bar
        bars = bars[bars.index <= wide.index[-1]]
    return _stacked(bars.reindex(wide.index, method="ffill"), rows)


def _stacked(wide: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """A table of dates and stocks on the rows."""
    return pd.Series(wide.stack(future_stack=True)).reindex(rows.index)


def month_so_far(rows: pd.DataFrame) -> pd.Series:
    """Close over its mean of the month so far."""
    dates = pd.DatetimeIndex(rows.index.get_level_values(0))
    group = [rows.index.get_level_values(1), dates.to_period("M").astype(str)]
    mean = rows["close"].groupby(group).transform(lambda c: c.expanding().mean())
    return rows["close"] / mean - 1


def one_sided_savgol(rows: pd.DataFrame) -> pd.Series:
    """The last point of a quadratic fitted to the last seven days."""
    weights = signal.savgol_coeffs(7, 2, pos=6, use="dot")
    return by_symbol(rows["signal"]).transform(
        lambda s: s.rolling(7).apply(lambda w: w @ weights, raw=True)
    )


def low_passed(rows: pd.DataFrame, both_ways: bool = False) -> pd.Series:
    """A Butterworth filter, run forwards, or forwards and backwards."""
    b, a = signal.butter(2, 0.2)
    run = signal.filtfilt if both_ways else signal.lfilter
    return by_symbol(rows["signal"]).transform(lambda s: run(b, a, s.to_numpy()))


def convolved(rows: pd.DataFrame, mode: Literal["full", "same"] = "full") -> pd.Series:
    """A moving average by convolution: ``full`` cut to the first values, or ``same``."""

    def mean(one: pd.Series) -> np.ndarray:
        return np.convolve(one.to_numpy(), np.ones(5) / 5, mode)[: len(one)]

    return by_symbol(rows["signal"]).transform(mean)


def rank_in_history(rows: pd.DataFrame, everything: bool = False) -> pd.Series:
    """Quantile of the volume in the stock's history so far, or in all of it."""
    volume = by_symbol(rows["volume"])
    if everything:
        return volume.rank(pct=True)
    return volume.transform(lambda v: v.expanding().rank(pct=True))


def deciles(rows: pd.DataFrame, everything: bool = False) -> pd.Series:
    """Group of the signal among the stocks of its date, or among all rows."""
    if everything:
        return pd.qcut(rows["signal"], 10, labels=False).astype(float)
    ranks = rows["signal"].groupby(level=0).rank(pct=True)
    return np.ceil(ranks * 5)


def market_beta(rows: pd.DataFrame, everything: bool = False) -> pd.Series:
    """Slope on the market over 30 days, or over all days."""
    wide = daily_return(rows).unstack()
    market = wide.mean(axis=1)
    if everything:
        slope = wide.apply(lambda r: r.cov(market)) / market.var()
        return pd.Series(slope.reindex(rows.index.get_level_values(1)).to_numpy(), rows.index)
    slope = wide.rolling(30, 10).cov(market).div(market.rolling(30, 10).var(), axis=0)
    return _stacked(slope, rows)


def filled_by_mean(rows: pd.DataFrame, everything: bool = False) -> pd.Series:
    """Gaps filled by the stock's mean so far, or of all days."""
    sentiment = by_symbol(rows["sentiment"])
    mean = sentiment.transform("mean" if everything else lambda s: s.expanding().mean())
    return rows["sentiment"].fillna(mean)


def swing_high(rows: pd.DataFrame, confirmed: bool = True) -> pd.Series:
    """Whether the close was the highest of seven days, three days later or on its own day."""
    highest = by_symbol(rows["close"]).transform(lambda c: c.rolling(7, center=True).max())
    high = (rows["close"] >= highest).astype(float)
    return by_symbol(high).shift(3) if confirmed else high


def components(rows: pd.DataFrame, everything: bool = False) -> pd.Series:
    """Share of each return that the first component explains, loadings from the days before."""
    wide = daily_return(rows).unstack().fillna(0.0)
    values, out = wide.to_numpy(), np.zeros(wide.shape)
    whole = np.linalg.svd(values, full_matrices=False)[2][0]
    for day in range(30, len(values)):
        axis = whole if everything else np.linalg.svd(values[day - 30 : day])[2][0]
        out[day] = (values[day] @ axis) * axis
    return _stacked(pd.DataFrame(out, wide.index, wide.columns), rows) / DAILY


def excursion(rows: pd.DataFrame, ahead: bool = False) -> pd.Series:
    """Lowest close of five days over the close: of the last five, or of the next."""
    close = by_symbol(rows["close"])
    low = close.transform(lambda c: c.rolling(5, 1).min())
    if ahead:
        low = close.transform(lambda c: c[::-1].rolling(5, 1).min()[::-1])
    return low / rows["close"] - 1


def report_clock(rows: pd.DataFrame, ahead: bool = False) -> pd.Series:
    """Days since the last report, or until the next one, by the rows of the table."""
    known = rows["book_known"]
    days = pd.Series(rows.index.get_level_values(0), rows.index)
    last = by_symbol(known.where(known <= days)).ffill()
    if ahead:
        last = by_symbol(known.shift(0).where(known > days)).bfill()
    return ((days - last).dt.days / 30.0).fillna(0.0)


def barrier_outcomes(rows: pd.DataFrame, wait: int = 6) -> pd.Series:
    """Whether an upper barrier was met within five days, for the day ``wait`` days ago."""
    ahead = pd.concat([by_symbol(rows["close"]).shift(-k) for k in range(1, 6)], axis=1)
    met = (ahead.max(axis=1) / rows["close"] > 1.03).astype(float).where(ahead.notna().all(axis=1))
    return by_symbol(met).shift(wait) if wait else met


def denoised(rows: pd.DataFrame, everything: bool = False) -> pd.Series:
    """Small Haar coefficients set to zero, in the last eight days or in the whole history."""

    def shrink(x: np.ndarray) -> np.ndarray:
        pairs = x[: len(x) // 2 * 2].reshape(-1, 2)
        mean, detail = pairs.mean(1), (pairs[:, 0] - pairs[:, 1]) / 2
        detail = np.where(np.abs(detail) > np.median(np.abs(detail)), detail, 0.0)
        out = x.copy()
        out[: 2 * len(pairs)] = np.column_stack([mean + detail, mean - detail]).ravel()
        return out

    def last(x: np.ndarray) -> float:
        return float(shrink(x)[-1])

    series = by_symbol(rows["signal"])
    if everything:
        return series.transform(lambda s: shrink(s.to_numpy()))
    return series.transform(lambda s: s.rolling(8).apply(last, raw=True))


def hedge_ratio(rows: pd.DataFrame, everything: bool = False) -> pd.Series:
    """Log price less its regression on the mean log price: over 40 days, or over all days."""
    wide: Any = np.log(rows["close"].unstack())
    market = wide.mean(axis=1)
    if everything:
        slope = wide.apply(lambda c: c.cov(market)) / market.var()
        return _stacked(wide.sub(np.outer(market, slope)) - wide.mean(), rows)
    slope = wide.rolling(40, 10).cov(market).div(market.rolling(40, 10).var(), axis=0)
    return _stacked(wide - slope.mul(market, axis=0), rows) / 10.0


def encoded_sector(rows: pd.DataFrame, everything: bool = False) -> pd.Series:
    """Mean label of the sector, over labels known by then or over all."""
    label = next_close(rows)["target"]
    if everything:
        return label.groupby(rows["sector"]).transform("mean") / DAILY
    by_day = label.groupby([rows["sector"], rows.index.get_level_values(0)]).mean()
    known = by_day.groupby(level=0).transform(lambda m: m.shift(2).expanding().mean())
    keys = pd.MultiIndex.from_arrays([rows["sector"], rows.index.get_level_values(0)])
    return pd.Series(known.reindex(keys).to_numpy() / DAILY, index=rows.index)
