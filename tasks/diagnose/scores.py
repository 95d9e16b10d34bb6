"""Two sets of forecasts, cell by cell."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.diagnose.catalogue import FLOAT32
from tasks.diagnose.finding import Witness
from tasks.diagnose.measure import day, largest, moved, spread


@dataclass(frozen=True)
class Apart:
    """How far forecasts lie apart.

    Attributes:
        value: Largest finite difference in units of the scale; infinite where forecasts only
            appear or vanish.
        count: Forecasts compared.
        date: Of the largest difference.
        symbol: Of the largest difference.
        before: Its forecast in the first set.
        after: Its forecast in the second set.
    """

    value: float = 0.0
    count: int = 0
    date: str = ""
    symbol: str = ""
    before: float = float("nan")
    after: float = float("nan")

    def witness(self, cut: str = "") -> Witness:
        """The place of the largest difference, seen when rows after ``cut`` change."""
        return Witness(cut, self.date, self.symbol, "forecast", self.before, self.after)


def apart(before: pd.Series, after: pd.Series, scale: float, rounding: float = FLOAT32) -> Apart:
    """Compare forecasts indexed (date, symbol); one that is in one set only counts as infinite.

    Moves up to ``rounding`` do not hide that one is in one set only.
    """
    if before.empty and after.empty:
        return Apart()
    both = pd.concat([before, after], axis=1, keys=["before", "after"], sort=False)
    old, new = (both[name].to_numpy(dtype=np.float64) for name in both)
    sizes = moved(old, new) / scale
    value = largest(sizes, rounding)
    place = int(np.where(np.isfinite(sizes) | np.isinf(value), sizes, -1.0).argmax())
    date, symbol = both.index[place]
    return Apart(value, len(sizes), day(date), str(symbol), float(old[place]), float(new[place]))


def forecast_scale(scores: pd.Series) -> float:
    """Mean over dates of the cross-sectional standard deviation of scores indexed (date, symbol).

    Where dates hold one symbol, the standard deviation over all.
    """
    within = scores.groupby(level=0).std(ddof=0)
    within = within[np.isfinite(within) & (within > 0)]
    return float(within.mean()) if len(within) else spread(scores.to_numpy(dtype=np.float64))
