"""Prices and industries behind a panel: closes for other horizons, the market's volatility."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.data.features.features import prices_of
from foldproof.tasks.data.features.grid import grid_of
from foldproof.tasks.decompose.regimes import trailing_volatility


@dataclass(frozen=True, eq=False)
class Closes:
    """Closes of the panel's dates and symbols.

    Attributes:
        quoted: (D, S) close of the day; NaN without a quote.
        carried: (D, S) the same, carried over gaps of ``data.fill_limit`` dates.
        volatility: (D,) trailing volatility of the equal-weighted market.
    """

    quoted: np.ndarray
    carried: np.ndarray
    volatility: np.ndarray


def industries_of(frame: pd.DataFrame) -> np.ndarray | None:
    """(D, S) number of each stock's industry on each date, -1 where it is not given.

    Args:
        frame: Long rows: date, symbol, industry.

    Returns:
        None without a column ``industry``.
    """
    if "industry" not in frame:
        return None
    codes = pd.Series(
        pd.factorize(frame["industry"].where(frame["industry"] != ""))[0], frame.index
    )
    dense = grid_of(frame).dense(codes)
    return np.where(np.isfinite(dense), dense, -1).astype(int)


def closes_of(frame: pd.DataFrame, fill_limit: int) -> Closes | None:
    """The closes of checked rows; None if they have no prices.

    Args:
        frame: Long rows: date, symbol, price; member is optional.
        fill_limit: Dates over which a close is carried.
    """
    if "price" not in frame:
        return None
    grid = grid_of(frame)
    with np.errstate(divide="ignore", invalid="ignore"):
        prices = prices_of(frame, grid, fill_limit)
        volatility = trailing_volatility(prices.market)
    return Closes(grid.dense(frame["price"]), prices.close, volatility)
