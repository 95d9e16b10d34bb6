"""Twins of a long table in which there is nothing to find: every return has a random sign."""

import numpy as np
import pandas as pd
from numpy.random import Generator


def noise_twin(
    data: pd.DataFrame,
    prices: tuple[str, ...],
    generator: Generator,
    others: tuple[str, ...] = (),
) -> pd.DataFrame:
    r"""``data`` with prices that nobody can forecast.

    .. math:: r_{sd} = m_d + e_{sd} \quad\to\quad a_d m_d + b_{sd} e_{sd}

    with log returns r of the last of ``prices``, their mean m over the symbols of date d, and
    independent signs a, b = ±1 with probability 1/2. Dates, symbols, gaps, volatility and tails
    stay. Given everything before, the twin's later returns are distributed alike with all signs
    turned, and turned returns have turned ranks: the rank IC of any forecast made from the past
    has mean exactly 0, whatever the horizon.

    The other ``prices`` keep their distance from the last, turned with the sign b of their row;
    where that makes the highest the lowest, the two change places, as in a bar seen in a mirror.

    Args:
        data: Long rows with ``date``, ``symbol``; sorted or not.
        prices: Columns of one bar, such as open, high, low, close; the last is the reference.
        generator: Source of the signs.
        others: Positive columns that move on their own, such as a price in another adjustment;
            their log changes get the signs of their row. All other columns stay: where one was
            computed from prices, the forecaster must compute it anew, or leaks by it are not seen.

    Raises:
        ValueError: No price column, or prices that are not positive.
    """
    checked_positive(data, (*prices, *others))
    twin = data.sort_values(["symbol", "date"])
    market, own = signs(twin, generator)
    reference = twin[prices[-1]]
    close = turned_path(twin, reference, market, own)
    offsets = np.log(twin[list(prices)].to_numpy()) - np.log(reference.to_numpy())[:, None]
    bar = close[:, None] * np.exp(own[:, None] * offsets)
    bar[:, -1] = close
    twin[list(prices)] = mirrored(bar, offsets, own)
    for name in others:
        twin[name] = turned_path(twin, twin[name], market, own)
    return twin.loc[data.index]


def checked_positive(data: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Raise ValueError unless ``columns`` are there and positive, on rows with an index of once."""
    if not columns or not data.index.is_unique:
        raise ValueError(
            f"a twin needs a price column and a unique index; columns: {columns or 'none'}, "
            f"index unique: {data.index.is_unique}"
        )
    for name in columns:
        low = data[name].min()
        if not low > 0:
            raise ValueError(
                f"prices must be positive to have log returns; {name} is {low:g} somewhere: "
                "leave it out, or use a ready target instead"
            )


def signs(rows: pd.DataFrame, generator: Generator) -> tuple[np.ndarray, np.ndarray]:
    """(n,) signs of the date of each row, and (n,) signs of each row."""
    date = rows["date"].rank(method="dense").to_numpy(dtype=np.int64) - 1
    market = coins(int(date.max()) + 1, generator)
    return market[date], coins(len(rows), generator)


def coins(count: int, generator: Generator) -> np.ndarray:
    """(count,) independent signs ±1."""
    return 2.0 * generator.integers(0, 2, count) - 1.0


def turned_path(
    rows: pd.DataFrame, price: pd.Series, market: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """(n,) the price path from the same start whose market and own returns have these signs.

    ``rows`` are sorted by symbol and date. A return over a gap belongs to the date that ends it.
    """
    log = np.log(price)
    known = log.groupby(rows["symbol"]).ffill()
    step = log - known.groupby(rows["symbol"]).shift()
    mean = step.groupby(rows["date"]).transform("mean")
    turned = market * mean + own * (step - mean)
    start = log.groupby(rows["symbol"]).transform("first")
    path = start + turned.fillna(0.0).groupby(rows["symbol"]).cumsum()
    return np.exp(path.where(log.notna())).to_numpy()


def mirrored(bar: np.ndarray, offsets: np.ndarray, own: np.ndarray) -> np.ndarray:
    """``bar`` (n, P) whose highest and lowest column have changed places where the sign turned.

    A column is the highest if it is so in every row, by its ``offsets`` (n, P) before.
    """
    complete = np.isfinite(offsets).all(axis=1)
    if not complete.any():
        return bar
    top, bottom = offsets[complete].max(axis=1), offsets[complete].min(axis=1)
    highest = np.flatnonzero((offsets[complete] == top[:, None]).all(axis=0))
    lowest = np.flatnonzero((offsets[complete] == bottom[:, None]).all(axis=0))
    if len(highest) != 1 or len(lowest) != 1:
        return bar
    high, low, turned = highest[0], lowest[0], own < 0
    out = bar.copy()
    out[turned, high], out[turned, low] = bar[turned, low], bar[turned, high]
    return out


def target_twin(
    data: pd.DataFrame,
    target: str,
    generator: Generator,
    *,
    horizon: int,
    border: np.datetime64 | None = None,
) -> pd.DataFrame:
    """``data`` with a ready target that nobody can forecast; everything else stays.

    Its mean over the symbols of a date gets one sign for each block of dates, the rest one for
    each block and symbol. Blocks last one horizon: overlapping labels go on looking alike, and no
    label of a block is known before the block is over, so that its sign cannot be learned from it.

    Args:
        data: Long rows with ``date``, ``symbol`` and the target.
        target: Its column.
        generator: Source of the signs.
        horizon: Dates that a target spans.
        border: A date on which a block begins: the first test date.
    """
    dates, row = np.unique(data["date"].to_numpy(), return_inverse=True)
    first = 0 if border is None else int(np.searchsorted(dates, border))
    block = (row - first) // horizon
    block = block - block.min()
    symbol, names = pd.factorize(data["symbol"])
    common = coins(int(block.max()) + 1, generator)[block]
    own = coins((int(block.max()) + 1) * len(names), generator)[block * len(names) + symbol]
    mean = data[target].groupby(data["date"]).transform("mean").to_numpy()
    return data.assign(**{target: common * mean + own * (data[target].to_numpy() - mean)})
