"""What practitioners do to features without meaning to look ahead, and how it is done right."""

from typing import Literal

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.impute import KNNImputer
from statsmodels.tsa.filters.hp_filter import hpfilter

from foldproof.tasks.benchmark.honest.forecaster import by_symbol, honest_features, next_close
from foldproof.tasks.benchmark.honest.market import DAILY

EVENT_DAYS = 7
"""Trading days between the events of the tables that are joined."""


def daily(rows: pd.DataFrame) -> pd.Series:
    """Returns of the day."""
    return by_symbol(rows["close"]).pct_change(fill_method=None).fillna(0.0)


def clipped(rows: pd.DataFrame) -> pd.DataFrame:
    """All features clipped at the quantiles of the whole sample."""
    x = honest_features(rows)
    return x.clip(x.quantile(0.02), x.quantile(0.98), axis=1)


def sector_of_today(rows: pd.DataFrame) -> pd.Series:
    """Mean return of the stock's sector, over the members that it has on the last day."""
    last = rows.index.get_level_values(0).max()
    members = rows.index.get_level_values(1).isin(rows.loc[last].index)
    day = daily(rows).where(pd.Series(members, index=rows.index))
    return day.groupby([rows.index.get_level_values(0), rows["sector"]]).transform("mean")


def neighbours(rows: pd.DataFrame) -> pd.Series:
    """Holes filled by the nearest rows of the whole sample."""
    x = pd.DataFrame({"sentiment": rows["sentiment"], "signal": rows["signal"], "day": daily(rows)})
    filled = KNNImputer(n_neighbors=3).fit_transform(x)
    return pd.Series(filled[:, 0], index=rows.index)


def regressed(rows: pd.DataFrame) -> pd.Series:
    """Holes filled by a regression on other columns, fitted on the whole sample."""
    x = np.column_stack([np.ones(len(rows)), rows["signal"].fillna(0.0), daily(rows)])
    known = rows["sentiment"].notna().to_numpy()
    weights = np.linalg.lstsq(x[known], rows["sentiment"][known].to_numpy(), rcond=None)[0]
    return rows["sentiment"].fillna(pd.Series(x @ weights, index=rows.index))


def clusters(rows: pd.DataFrame) -> pd.Series:
    """Group of each stock by its volatility and volume over all days."""
    by_stock = pd.DataFrame({"sd": by_symbol(daily(rows)).std() / DAILY,
                             "volume": np.log(by_symbol(rows["volume"]).mean())})  # fmt: skip
    x = ((by_stock - by_stock.mean()) / by_stock.std()).fillna(0.0)
    groups = KMeans(3, n_init=2, random_state=0).fit_predict(x)
    centre = x["sd"].groupby(groups).transform("mean")
    return pd.Series(centre.reindex(rows.index.get_level_values(1)).to_numpy(), index=rows.index)


def joined(rows: pd.DataFrame, direction: Literal["nearest", "forward", "backward"]) -> pd.Series:
    """Sentiment of a table of events, one each few days, joined to each day."""
    left = rows.reset_index()[["date", "symbol"]]
    days = np.sort(left["date"].unique())[::EVENT_DAYS]
    events = rows["sentiment"].dropna().reset_index()
    events = events[events["date"].isin(days)]
    found = pd.merge_asof(left, events, on="date", by="symbol", direction=direction)
    return pd.Series(found["sentiment"].to_numpy(), index=rows.index)


def nearest_event(rows: pd.DataFrame) -> pd.Series:
    """The nearest event, be it to come."""
    return joined(rows, "nearest")


def next_event(rows: pd.DataFrame) -> pd.Series:
    """The event to come."""
    return joined(rows, "forward")


def last_event(rows: pd.DataFrame) -> pd.Series:
    """The event before, or of the day: honest."""
    return joined(rows, "backward")


def long(wide: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """A table of dates and stocks on the rows."""
    return pd.Series(wide.stack(future_stack=True)).reindex(rows.index)


def month_end(rows: pd.DataFrame) -> pd.Series:
    """The month's last sentiment, put on the days before it."""
    wide = rows["sentiment"].unstack()
    last = wide.resample("ME").last()
    return long(last.reindex(wide.index, method="bfill"), rows)


def month_before(rows: pd.DataFrame) -> pd.Series:
    """The last sentiment of the month before: honest."""
    wide = rows["sentiment"].unstack()
    month = pd.DatetimeIndex(wide.index).to_period("M")
    last = wide.groupby(month).last().shift(1).reindex(month).set_axis(wide.index)
    return long(last, rows)


def filtered_level(values: np.ndarray, noise: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """(n,) level and its variance by a Kalman filter of a random walk seen through noise."""
    level, variance, out = 0.0, 1.0, np.empty((2, len(values)))
    for place, value in enumerate(values):
        variance += 1.0
        gain = variance / (variance + noise)
        level, variance = level + gain * (value - level), (1 - gain) * variance
        out[:, place] = level, variance
    return out[0], out[1]


def kalman_filtered(rows: pd.DataFrame) -> pd.Series:
    """The level of the signal by a Kalman filter: honest."""
    return by_symbol(rows["signal"]).transform(lambda one: filtered_level(one.to_numpy())[0])


def kalman_smoothed(rows: pd.DataFrame) -> pd.Series:
    """The level of the signal by the Kalman smoother (Rauch, Tung & Striebel 1965)."""

    def smoothed(one: pd.Series) -> np.ndarray:
        level, variance = filtered_level(one.to_numpy())
        for place in range(len(level) - 2, -1, -1):
            back = variance[place] / (variance[place] + 1.0)
            level[place] += back * (level[place + 1] - level[place])
        return level

    return by_symbol(rows["signal"]).transform(smoothed)


def calm_or_wild(rows: pd.DataFrame) -> np.ndarray:
    """(D, 2) log-likelihood of a calm and of a wild market, by the spread of the day's returns."""
    spread = daily(rows).groupby(level=0).std().fillna(DAILY).to_numpy() / DAILY
    centres = np.array([0.9, 1.1])
    return -np.square(spread[:, None] - centres) / 0.02


STAY = np.log(np.array([[0.9, 0.1], [0.1, 0.9]]))
"""Log-probabilities of staying in a regime and of leaving it."""


def spread_over(rows: pd.DataFrame, by_date: np.ndarray) -> pd.Series:
    """A value a date on each of its rows."""
    dates = rows.index.get_level_values(0)
    series = pd.Series(by_date, index=np.unique(dates))
    return pd.Series(series.reindex(dates).to_numpy(dtype=np.float64), index=rows.index)


def most_likely_path(rows: pd.DataFrame) -> pd.Series:
    """Regimes on the most likely path through all days (Viterbi 1967)."""
    seen = calm_or_wild(rows)
    best, came = seen[0], np.zeros(seen.shape, dtype=int)
    for place in range(1, len(seen)):
        ways = best[:, None] + STAY
        came[place], best = ways.argmax(0), ways.max(0) + seen[place]
    path = np.empty(len(seen), dtype=int)
    path[-1] = best.argmax()
    for place in range(len(seen) - 1, 0, -1):
        path[place - 1] = came[place, path[place]]
    return spread_over(rows, path)


def regime_so_far(rows: pd.DataFrame) -> pd.Series:
    """Probability of the wild regime given the days so far: honest."""
    seen, belief, out = np.exp(calm_or_wild(rows)), np.array([0.5, 0.5]), []
    for likelihood in seen:
        belief = (belief @ np.exp(STAY)) * np.maximum(likelihood, 1e-300)
        belief = belief / belief.sum()
        out.append(belief[1])
    return spread_over(rows, np.array(out))


def share_of_total(rows: pd.DataFrame) -> pd.Series:
    """Volume traded so far as a share of all that the stock ever trades."""
    volume = by_symbol(rows["volume"])
    return volume.cumsum() / volume.transform("sum")


def fitted_decay(rows: pd.DataFrame) -> pd.Series:
    """Volatility whose decay is the one that fits the whole sample best."""
    squares = by_symbol(daily(rows) ** 2)

    def filtered(decay: float) -> pd.Series:
        smooth = squares.transform(lambda one: one.ewm(alpha=1 - decay).mean())
        return by_symbol(smooth).shift(1).fillna(DAILY**2) + 1e-12

    def loss(variance: pd.Series) -> float:
        return float((np.log(variance) + daily(rows) ** 2 / variance).mean())

    tried = [filtered(decay) for decay in np.linspace(0.7, 0.99, 30)]
    return np.sqrt(min(tried, key=loss))


def adjusted_volume(rows: pd.DataFrame) -> pd.Series:
    """Volume adjusted by the last price, as vendors adjust it by splits."""
    factor = rows["close"] / by_symbol(rows["close"]).transform("last")
    return np.log(rows["volume"] * factor)


def last_known(rows: pd.DataFrame) -> pd.Series:
    """Holes filled with the stock's last value of all."""
    return rows["sentiment"].fillna(by_symbol(rows["sentiment"]).transform("last"))


def place_in_table(rows: pd.DataFrame) -> pd.Series:
    """The row's place within its date, in a table that is sorted by the label."""
    target = next_close(rows)["target"]
    order = rows.assign(target=target).sort_values("target").groupby(level=0).cumcount()
    return order.reindex(rows.index).astype(float)


def row_count(rows: pd.DataFrame) -> pd.Series:
    """How many rows the stock has."""
    return by_symbol(rows["close"]).transform("size") / 100.0


def ungrouped(rows: pd.DataFrame) -> pd.Series:
    """A rolling mean over a table sorted by stock and date, from one stock into the next."""
    by_stock = daily(rows).sort_index(level=[1, 0])
    return by_stock.rolling(10, min_periods=1).mean().reindex(rows.index)


def trend(rows: pd.DataFrame) -> pd.Series:
    """The trend of Hodrick & Prescott (1997)."""
    return by_symbol(rows["signal"]).transform(lambda one: hpfilter(one.to_numpy(), 50.0)[1])


def below_the_high(rows: pd.DataFrame) -> pd.Series:
    """Price against the highest price of all days."""
    return rows["close"] / by_symbol(rows["close"]).transform("max")
