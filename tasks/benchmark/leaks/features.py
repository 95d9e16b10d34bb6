"""Features that look ahead, and the honest counterparts of some."""

from typing import Literal

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.impute import KNNImputer
from statsmodels.tsa.filters.hp_filter import hpfilter

from foldproof.tasks.benchmark.honest.forecaster import (
    by_symbol,
    daily_return,
    honest_features,
    next_close,
)
from foldproof.tasks.benchmark.honest.market import DAILY

EVENT_DAYS = 7
"""Trading days between the events of a table that is joined."""
STAY = np.log(np.array([[0.9, 0.1], [0.1, 0.9]]))
"""Log transition probabilities between two market regimes."""


def tomorrow(rows: pd.DataFrame) -> pd.Series:
    """The target return, shifted the wrong way."""
    close = by_symbol(rows["close"])
    return close.shift(-2) / close.shift(-1) - 1


def next_volume(rows: pd.DataFrame) -> pd.Series:
    """Tomorrow's volume."""
    return np.log(by_symbol(rows["volume"]).shift(-1))


def centred_mean(rows: pd.DataFrame) -> pd.Series:
    """A centred rolling mean of returns."""
    day = by_symbol(daily_return(rows))
    return day.rolling(5, center=True, min_periods=1).mean().droplevel(0)


def back_filled(rows: pd.DataFrame) -> pd.Series:
    """Gaps filled from the next value."""
    return by_symbol(rows["sentiment"]).bfill()


def interpolated(rows: pd.DataFrame) -> pd.Series:
    """Gaps filled by linear interpolation."""
    return by_symbol(rows["sentiment"]).transform(lambda one: one.interpolate(limit_area="inside"))


def neighbours(rows: pd.DataFrame) -> pd.Series:
    """Gaps filled from the nearest rows of the whole sample."""
    x = rows[["sentiment", "signal"]].assign(day=daily_return(rows).fillna(0.0))
    filled = KNNImputer(n_neighbors=3).fit_transform(x)
    return pd.Series(filled[:, 0], index=rows.index)


def regressed(rows: pd.DataFrame) -> pd.Series:
    """Gaps filled by a regression on other columns, fitted on the whole sample."""
    day = daily_return(rows).fillna(0.0)
    x = np.column_stack([np.ones(len(rows)), rows["signal"].fillna(0.0), day])
    known = rows["sentiment"].notna().to_numpy()
    weights = np.linalg.lstsq(x[known], rows["sentiment"][known].to_numpy(), rcond=None)[0]
    return rows["sentiment"].fillna(pd.Series(x @ weights, index=rows.index))


def last_known(rows: pd.DataFrame) -> pd.Series:
    """Gaps filled with the last value in the stock's history."""
    return rows["sentiment"].fillna(by_symbol(rows["sentiment"]).transform("last"))


def full_sample(rows: pd.DataFrame) -> pd.DataFrame:
    """All features z-scored over the whole sample."""
    x = honest_features(rows)
    return (x - x.mean()) / x.std()


def full_min_max(rows: pd.DataFrame) -> pd.DataFrame:
    """All features scaled by the range of the whole sample."""
    x = honest_features(rows)
    return (x - x.min()) / (x.max() - x.min())


def full_ranks(rows: pd.DataFrame) -> pd.DataFrame:
    """All features as quantiles of the whole sample."""
    return honest_features(rows).rank(pct=True)


def clipped(rows: pd.DataFrame) -> pd.DataFrame:
    """All features clipped at quantiles of the whole sample."""
    x = honest_features(rows)
    return x.clip(x.quantile(0.02), x.quantile(0.98), axis=1)


def full_components(rows: pd.DataFrame) -> pd.DataFrame:
    """Principal components of the whole sample."""
    scaled = full_sample(rows)
    axes = np.linalg.svd(scaled.to_numpy(), full_matrices=False)[2]
    axes *= np.sign(axes[:, :1])
    names = [f"component {k}" for k in range(axes.shape[0])]
    return pd.DataFrame(scaled.to_numpy() @ axes.T, index=scaled.index, columns=names)


def encoded(rows: pd.DataFrame) -> pd.DataFrame:
    """Each stock's mean target over all days, including the test block."""
    target = next_close(rows)["target"]
    return honest_features(rows).assign(encoded=by_symbol(target).transform("mean")).fillna(0.0)


def over_period(values: pd.Series, period: str, statistic: Literal["last", "mean"]) -> pd.Series:
    """A statistic of the stock's calendar week ("W") or month ("M") on each of its days."""
    dates = pd.DatetimeIndex(values.index.get_level_values(0))
    label = pd.Series(dates.to_period(period).astype(str), index=values.index)
    return values.groupby([label, values.index.get_level_values(1)]).transform(statistic)


def weekly(rows: pd.DataFrame) -> pd.Series:
    """The last close of the week over that of the day."""
    return over_period(rows["close"], "W", "last") / rows["close"] - 1


def monthly(rows: pd.DataFrame) -> pd.Series:
    """The month's mean sentiment on each of its days."""
    return over_period(rows["sentiment"], "M", "mean")


def backwards(rows: pd.DataFrame) -> pd.Series:
    """An exponential mean that runs from the last day to the first."""
    turned = by_symbol(rows["signal"].iloc[::-1])
    return turned.transform(lambda one: one.ewm(halflife=5).mean()).reindex(rows.index)


def low_pass(rows: pd.DataFrame) -> pd.Series:
    """A Fourier filter over the whole history of the stock."""

    def filtered(one: pd.Series) -> pd.Series:
        waves = np.fft.rfft(one.to_numpy())
        waves[len(waves) // 4 :] = 0
        return pd.Series(np.fft.irfft(waves, len(one)), index=one.index)

    return by_symbol(rows["signal"]).transform(filtered)


def trend(rows: pd.DataFrame) -> pd.Series:
    """The trend of Hodrick & Prescott (1997)."""
    return by_symbol(rows["signal"]).transform(lambda one: hpfilter(one.to_numpy(), 50.0)[1])


def adjusted(rows: pd.DataFrame) -> pd.Series:
    """Log price adjusted backwards from the last day."""
    return pd.Series(np.log(over_history(rows, "close", "last")), index=rows.index)


def adjusted_volume(rows: pd.DataFrame) -> pd.Series:
    """Volume adjusted by the last price, as vendors adjust it for splits."""
    adjusted_shares = rows["volume"] * over_history(rows, "close", "last")
    return pd.Series(np.log(adjusted_shares), index=rows.index)


def over_history(
    rows: pd.DataFrame, column: str, statistic: Literal["last", "max", "mean"]
) -> pd.Series:
    """A column over a statistic of the stock's whole history."""
    return rows[column] / by_symbol(rows[column]).transform(statistic)


def share_of_total(rows: pd.DataFrame) -> pd.Series:
    """Cumulative volume as a share of the stock's final total."""
    volume = by_symbol(rows["volume"])
    return volume.cumsum() / volume.transform("sum")


def time_to_delisting(rows: pd.DataFrame) -> pd.Series:
    """Days until the stock's last day, at most 20."""
    left = by_symbol(rows["close"]).cumcount(ascending=False)
    return left.clip(upper=20).astype(float)


def row_count(rows: pd.DataFrame) -> pd.Series:
    """Number of rows of the stock."""
    return by_symbol(rows["close"]).transform("size") / 100.0


def place_in_table(rows: pd.DataFrame) -> pd.Series:
    """Position of the row within its date in a table sorted by the label."""
    target = next_close(rows)["target"]
    order = rows.assign(target=target).sort_values("target").groupby(level=0).cumcount()
    return order.reindex(rows.index).astype(float)


def ungrouped(rows: pd.DataFrame) -> pd.Series:
    """A rolling mean that runs from one stock into the next."""
    by_stock = daily_return(rows).fillna(0.0).sort_index(level=[1, 0])
    return by_stock.rolling(10, min_periods=1).mean().reindex(rows.index)


def sector_of_today(rows: pd.DataFrame) -> pd.Series:
    """Mean return of the sector, over its members on the last day."""
    last = rows.index.get_level_values(0).max()
    members = rows.index.get_level_values(1).isin(rows.loc[last].index)
    day = daily_return(rows).fillna(0.0).where(pd.Series(members, index=rows.index))
    return day.groupby([rows.index.get_level_values(0), rows["sector"]]).transform("mean")


def clusters(rows: pd.DataFrame) -> pd.Series:
    """Cluster of each stock by its volatility and volume over all days."""
    by_stock = pd.DataFrame({"sd": by_symbol(daily_return(rows).fillna(0.0)).std() / DAILY,
                             "volume": np.log(by_symbol(rows["volume"]).mean())})  # fmt: skip
    x = ((by_stock - by_stock.mean()) / by_stock.std()).fillna(0.0)
    groups = KMeans(3, n_init=2, random_state=0).fit_predict(x)
    centre = x["sd"].groupby(groups).transform("mean")
    return pd.Series(centre.reindex(rows.index.get_level_values(1)).to_numpy(), index=rows.index)


def restated(rows: pd.DataFrame) -> pd.Series:
    """Book value dated from the end of its period, before it was reported."""
    return rows["book"]


def as_reported(rows: pd.DataFrame) -> pd.Series:
    """Book value once it is reported, the previous one until then: honest."""
    known = rows["book_known"] <= rows.index.get_level_values(0)
    return by_symbol(rows["book"].where(known)).ffill()


def joined(rows: pd.DataFrame, direction: Literal["nearest", "forward", "backward"]) -> pd.Series:
    """Sentiment of a table of events every few days, joined to each day; backward is honest."""
    left = rows.reset_index()[["date", "symbol"]]
    days = np.sort(left["date"].unique())[::EVENT_DAYS]
    events = rows["sentiment"].dropna().reset_index()
    events = events[events["date"].isin(days)]
    found = pd.merge_asof(left, events, on="date", by="symbol", direction=direction)
    return pd.Series(found["sentiment"].to_numpy(), index=rows.index)


def _long(wide: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """A table of dates and stocks on the rows."""
    return pd.Series(wide.stack(future_stack=True)).reindex(rows.index)


def month_end(rows: pd.DataFrame) -> pd.Series:
    """The month's last sentiment on the days before it."""
    wide = rows["sentiment"].unstack()
    last = wide.resample("ME").last()
    return _long(last.reindex(wide.index, method="bfill"), rows)


def month_before(rows: pd.DataFrame) -> pd.Series:
    """The last sentiment of the previous month: honest."""
    wide = rows["sentiment"].unstack()
    month = pd.DatetimeIndex(wide.index).to_period("M")
    last = wide.groupby(month).last().shift(1).reindex(month).set_axis(wide.index)
    return _long(last, rows)


def _filtered_level(values: np.ndarray, noise: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """(n,) level and its variance by a Kalman filter of a random walk observed with noise."""
    level, variance, out = 0.0, 1.0, np.empty((2, len(values)))
    for place, value in enumerate(values):
        variance += 1.0
        gain = variance / (variance + noise)
        level, variance = level + gain * (value - level), (1 - gain) * variance
        out[:, place] = level, variance
    return out[0], out[1]


def kalman_filtered(rows: pd.DataFrame) -> pd.Series:
    """The level of the signal by a Kalman filter: honest."""
    return by_symbol(rows["signal"]).transform(lambda one: _filtered_level(one.to_numpy())[0])


def kalman_smoothed(rows: pd.DataFrame) -> pd.Series:
    """The level of the signal by the Kalman smoother (Rauch, Tung & Striebel 1965)."""

    def smoothed(one: pd.Series) -> np.ndarray:
        level, variance = _filtered_level(one.to_numpy())
        for place in range(len(level) - 2, -1, -1):
            back = variance[place] / (variance[place] + 1.0)
            level[place] += back * (level[place + 1] - level[place])
        return level

    return by_symbol(rows["signal"]).transform(smoothed)


def _by_date(rows: pd.DataFrame, values: pd.Series) -> pd.Series:
    """A value per date on each of its rows."""
    dates = rows.index.get_level_values(0)
    return pd.Series(values.reindex(dates).to_numpy(dtype=np.float64), index=rows.index)


def market_regime(rows: pd.DataFrame) -> pd.Series:
    """Whether the market's volatility that day is above its median of all days."""
    day = daily_return(rows).groupby(level=0).std()
    return _by_date(rows, (day > day.median()).astype(float))


def _regime_likelihood(rows: pd.DataFrame) -> pd.DataFrame:
    """(D, 2) log-likelihood of a calm and of a wild market, by the spread of the day's returns."""
    spread = daily_return(rows).fillna(0.0).groupby(level=0).std().fillna(DAILY) / DAILY
    centres = np.array([0.9, 1.1])
    likelihood = -np.square(spread.to_numpy()[:, None] - centres) / 0.02
    return pd.DataFrame(likelihood, index=spread.index)


def most_likely_path(rows: pd.DataFrame) -> pd.Series:
    """Regimes on the most likely path through all days (Viterbi 1967)."""
    likelihood = _regime_likelihood(rows)
    log = likelihood.to_numpy()
    best, came = log[0], np.zeros(log.shape, dtype=int)
    for place in range(1, len(log)):
        ways = best[:, None] + STAY
        came[place], best = ways.argmax(0), ways.max(0) + log[place]
    path = np.empty(len(log), dtype=int)
    path[-1] = best.argmax()
    for place in range(len(log) - 1, 0, -1):
        path[place - 1] = came[place, path[place]]
    return _by_date(rows, pd.Series(path, index=likelihood.index))


def regime_so_far(rows: pd.DataFrame) -> pd.Series:
    """Probability of the wild regime given the days so far: honest."""
    likelihood = _regime_likelihood(rows)
    belief, out = np.array([0.5, 0.5]), []
    for today in np.exp(likelihood.to_numpy()):
        belief = (belief @ np.exp(STAY)) * np.maximum(today, 1e-300)
        belief = belief / belief.sum()
        out.append(belief[1])
    return _by_date(rows, pd.Series(out, index=likelihood.index))


def fitted_decay(rows: pd.DataFrame) -> pd.Series:
    """Volatility with the decay that fits the whole sample best."""
    squares = daily_return(rows).fillna(0.0) ** 2

    def filtered(decay: float) -> pd.Series:
        smooth = by_symbol(squares).transform(lambda one: one.ewm(alpha=1 - decay).mean())
        return by_symbol(smooth).shift(1).fillna(DAILY**2) + 1e-12

    def loss(variance: pd.Series) -> float:
        return float((np.log(variance) + squares / variance).mean())

    tried = [filtered(decay) for decay in np.linspace(0.7, 0.99, 30)]
    return np.sqrt(min(tried, key=loss))
