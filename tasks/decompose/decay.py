"""How the rank IC of the same forecasts depends on the horizon, and on a delay before their use."""

import numpy as np
import pandas as pd

from foldproof.tasks.data.features.target import forward_return
from foldproof.tasks.data.features.windows import lagged
from foldproof.tasks.decompose.estimates import estimates
from foldproof.tasks.decompose.prices import Closes
from foldproof.tasks.decompose.ranked import Ranked


def later_return(
    price: np.ndarray,
    horizon: int,
    delay: int = 0,
    delisting_return: float | None = None,
    carried: np.ndarray | None = None,
) -> np.ndarray:
    """(D, S) simple return from close d + 1 + ``delay`` over ``horizon`` trading days.

    With no delay it is the return behind the target; the delay moves its start and its end.
    """
    found = forward_return(price, horizon, delisting_return, carried)
    return lagged(found[::-1], delay)[::-1]


def by_horizon(
    ranked: Ranked, closes: Closes, rows: np.ndarray, columns: np.ndarray,
    pairs: list[tuple[int, int]], level: float, delisting_return: float | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Mean rank IC of every row on returns over other horizons and after delays.

    A date counts where three of its stocks have the return. Intervals are each by itself.

    Args:
        ranked: The forecasts.
        closes: Prices of the whole panel.
        rows: Rows of the panel with the dates of ``ranked``.
        columns: Columns of the panel with its symbols.
        pairs: Horizon and delay of each return.
        level: Level of each interval.
        delisting_return: As in the target's setting.

    Returns:
        row, horizon, delay, dates, rank_ic, low, high.
    """
    parts = []
    for horizon, delay in pairs:
        target = later_return(closes.quoted, horizon, delay, delisting_return, closes.carried)
        daily = ranked.rank_ics(target[np.ix_(rows, columns)])
        known = np.isfinite(daily).all(axis=1)
        found = estimates(daily[known], horizon, level)
        about = {"row": list(ranked.names), "horizon": horizon, "delay": delay}
        parts.append(pd.DataFrame(about).assign(dates=int(known.sum())).join(found))
    return pd.concat(parts, ignore_index=True)
