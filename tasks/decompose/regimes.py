"""Regimes: the tested dates by market volatility, by half and by year."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from foldproof.tasks.data.features.windows import deviation
from foldproof.tasks.decompose.estimates import estimates

VOLATILITY_ROWS = 63
"""Trading days of the market's trailing volatility."""
TERCILES = ("low", "middle", "high")


def trailing_volatility(market: np.ndarray) -> np.ndarray:
    """(D,) standard deviation of the market's daily log return (D, 1) over the last 63 days."""
    return deviation(market, VOLATILITY_ROWS)[:, 0]


def regimes(
    dates: np.ndarray, volatility: np.ndarray | None
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Every regime of the tested dates: its kind, its name, (D,) bool the dates in it.

    The volatility of a date uses returns up to that date. The borders of the terciles are those of
    the tested dates, so the split describes the past and is not a trading rule.

    Args:
        dates: (D,) datetime64, increasing.
        volatility: (D,) of the market; None if it is not known.
    """
    if volatility is not None and np.isfinite(volatility).any():
        borders = np.nanquantile(volatility, [1 / 3, 2 / 3])
        place = np.searchsorted(borders, volatility)
        for number, name in enumerate(TERCILES):
            yield "market volatility", name, np.isfinite(volatility) & (place == number)
    first = np.arange(len(dates)) < len(dates) // 2
    yield "half", "first", first
    yield "half", "second", ~first
    years = dates.astype("datetime64[Y]").astype(int) + 1970
    for year in np.unique(years):
        yield "year", str(year), years == year


def by_regime(
    daily: pd.DataFrame, volatility: np.ndarray | None, horizon: int, level: float
) -> pd.DataFrame:
    """Mean rank IC of every row in every regime, each with its own interval.

    Args:
        daily: Rank IC, dates x rows.
        volatility: (D,) the market's volatility on these dates; None if it is not known.
        horizon: Dates that a label spans.
        level: Level of each interval.

    Returns:
        row, kind, regime, dates, rank_ic, low, high.
    """
    parts = []
    for kind, name, inside in regimes(daily.index.to_numpy(), volatility):
        if inside.any():
            found = estimates(daily.to_numpy()[inside], horizon, level)
            about = {"row": list(daily.columns), "kind": kind, "regime": name}
            parts.append(pd.DataFrame(about).assign(dates=int(inside.sum())).join(found))
    return pd.concat(parts, ignore_index=True)
