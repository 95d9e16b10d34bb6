"""A copy of a long table with unpredictable prices: every return gets a random sign."""

import numpy as np
import pandas as pd
from numpy.random import Generator


def noise_market(data: pd.DataFrame, prices: tuple[str, ...], generator: Generator) -> pd.DataFrame:
    r"""Return ``data`` with unpredictable prices.

    .. math:: r_{sd} = m_d + e_{sd} \quad\to\quad a_d m_d + b_{sd} e_{sd}

    with log returns r of the last of ``prices``, their mean m over the symbols of date d, and
    independent signs a, b = ±1 with probability 1/2. Dates, symbols, gaps, volatility and tails
    stay. Given the past, the later returns have the same distribution with all signs flipped, and
    flipped returns have flipped ranks: the rank IC of any forecast from the past has mean exactly
    0, at any horizon.

    The other ``prices`` keep their distance from the last, flipped with the sign b of their row.
    If that makes the highest price the lowest, the two are swapped, as in a mirrored bar. All
    other columns stay. Trap: the forecaster must recompute columns made from prices, or the
    placebo is blind to leaks through them.

    Args:
        data: Long rows with ``date``, ``symbol``; sorted or not.
        prices: Columns of one bar, such as open, high, low, close; the last is the reference.
        generator: Source of the signs.

    Raises:
        ValueError: No price column, prices that are not positive, or an index with duplicates.
    """
    require_prices(data, prices)
    noise = data.sort_values(["symbol", "date"])
    date = noise["date"].rank(method="dense").to_numpy(dtype=np.int64) - 1
    market = random_signs(int(date.max()) + 1, generator)[date]
    own = random_signs(len(noise), generator)
    reference = noise[prices[-1]]
    close = signed_path(noise, reference, market, own)
    offsets = np.log(noise[list(prices)].to_numpy()) - np.log(reference.to_numpy())[:, None]
    bar = close[:, None] * np.exp(own[:, None] * offsets)
    bar[:, -1] = close
    noise[list(prices)] = with_extremes_swapped(bar, offsets, own)
    return noise.loc[data.index]


def require_prices(data: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Raise ValueError unless there are ``columns``, all positive, on a unique index."""
    if not columns or not data.index.is_unique:
        raise ValueError(
            f"a noise data set needs a price column and a unique index; columns: "
            f"{columns or 'none'}, index unique: {data.index.is_unique}"
        )
    for name in columns:
        low = data[name].min()
        if not low > 0:
            raise ValueError(
                f"prices must be positive to have log returns; the smallest value of {name} is "
                f"{low:g}: leave it out"
            )


def random_signs(count: int, generator: Generator) -> np.ndarray:
    """(count,) independent signs ±1."""
    return 2.0 * generator.integers(0, 2, count) - 1.0


def signed_path(
    rows: pd.DataFrame, price: pd.Series, market: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """(n,) the price path from the same start, with these signs of market and own returns.

    ``rows`` are sorted by symbol and date. A return over a gap belongs to the date that ends it.
    """
    log = np.log(price)
    known = log.groupby(rows["symbol"]).ffill()
    step = log - known.groupby(rows["symbol"]).shift()
    mean = step.groupby(rows["date"]).transform("mean")
    signed = market * mean + own * (step - mean)
    start = log.groupby(rows["symbol"]).transform("first")
    path = start + signed.fillna(0.0).groupby(rows["symbol"]).cumsum()
    return np.exp(path.where(log.notna())).to_numpy()


def with_extremes_swapped(bar: np.ndarray, offsets: np.ndarray, own: np.ndarray) -> np.ndarray:
    """``bar`` (n, P) with its highest and lowest column swapped in rows with a flipped sign.

    A column is the highest if it is so in every row of the original ``offsets`` (n, P).
    """
    complete = np.isfinite(offsets).all(axis=1)
    if not complete.any():
        return bar
    top, bottom = offsets[complete].max(axis=1), offsets[complete].min(axis=1)
    highest = np.flatnonzero((offsets[complete] == top[:, None]).all(axis=0))
    lowest = np.flatnonzero((offsets[complete] == bottom[:, None]).all(axis=0))
    if len(highest) != 1 or len(lowest) != 1:
        return bar
    high, low, flipped = highest[0], lowest[0], own < 0
    out = bar.copy()
    out[flipped, high], out[flipped, low] = bar[flipped, low], bar[flipped, high]
    return out
