"""The prices behind a panel: closes for other horizons, and the market's volatility."""

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
