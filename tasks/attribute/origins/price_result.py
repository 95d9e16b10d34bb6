"""The attribution of a forecast's change to daily returns, and its tables."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.adaptive import TOLERANCE
from foldproof.tasks.attribute.origins.returns import Steps

PARTS = ("own returns", "other returns", "price levels", "volumes")
"""The attributed inputs: returns of the stock that is forecast, returns of the other stocks, the
closes at which histories start, and volumes of all stocks."""


@dataclass(frozen=True, eq=False)
class FromPrices:
    """Attributions of a forecast's change to the prices that its features were made of.

    A cell's attribution is its mean slope on the path times its change x - x'. Both terms are kept
    separately because a return belongs to a day: the x at one place in the look-back was the x' of
    another place earlier. So a day's part of the change is its return times the difference of two
    slopes: at its present place in the look-back and at its former one.

    Attributes:
        dates: (R + shift,) datetime64[D], oldest first; NaT before the first of the table.
        symbols: (S,) names.
        steps: (R, S, C) supplied returns and volumes, up to rows after the date.
        reference: The same ``shift`` rows earlier, at the start of the path.
        came: (R, S, C) slopes times the cells of ``steps``, in target units; 0 where a cell does
            not move.
        left: (R, S, C) minus slopes times the cells of ``reference``. ``came`` and ``left`` add up
            to ``change`` plus the error.
        shift: Rows from the reference to the date.
        date: Row of R at which the windows end.
        symbol: Column of S that is forecast.
        change: The forecast less that on the reference.
        gap: Sum of the attributions less the change, in spreads.
        nodes: Quadrature nodes requested on the path.
    """

    dates: np.ndarray
    symbols: np.ndarray
    steps: Steps
    reference: Steps
    came: Tensor
    left: Tensor
    shift: int
    date: int
    symbol: int
    change: float
    gap: float
    nodes: int

    @property
    def attributions(self) -> Tensor:
        """(R, S, C) integrated gradients by place in the look-back."""
        return self.came + self.left

    @property
    def resolved(self) -> bool:
        """Whether the attributions add up to the change."""
        return abs(self.gap) <= TOLERANCE

    def parts(self, values: Tensor) -> np.ndarray:
        """(R, 4) sums of cells (R, S, C) by place and PARTS."""
        levels = (values[..., 0] * self.steps.anchor).sum(1)
        own = values[:, self.symbol, 0] * ~self.steps.anchor[:, self.symbol]
        sums = [own, values[..., 0].sum(1) - levels - own, levels, values[..., 1:].sum((1, 2))]
        return torch.stack(sums, dim=1).numpy()

    def of_returns(self) -> Tensor:
        """(R + shift, S) attributions of returns by the day of the return."""
        days = self.came.new_zeros(len(self.dates), len(self.symbols))
        moved = ~self.steps.anchor
        days[self.shift :] += self.came[..., 0] * moved
        days[: len(self.left)] += self.left[..., 0] * moved
        return days

    def by_day(self) -> pd.DataFrame:
        """A row for each day, newest first, down to the oldest day with an attribution.

        Returns:
            date, lag (trading days back; below 0 for rows after the date), moved (own log return),
            and a column for each of PARTS, in target units. Levels and volumes have no natural
            zero, so their attributions count for the day of x and not for that of x'.
        """
        days = self.of_returns()
        own = days[:, self.symbol]
        parts = torch.zeros(len(days), len(PARTS), dtype=days.dtype)
        parts[self.shift :] = torch.from_numpy(self.parts(self.attributions))
        parts[:, :2] = torch.stack([own, days.sum(1) - own], dim=1)
        moved = days.new_full((len(days),), torch.nan)
        for first, one in ((0, self.reference), (self.shift, self.steps)):
            moved[first : first + len(self.left)] = one.returns[:, self.symbol]
        lag = self.shift + self.date - np.arange(len(days))
        table = pd.DataFrame({"date": self.dates, "lag": lag, "moved": moved.numpy()})
        table[list(PARTS)] = parts.numpy()
        used = np.flatnonzero(table[list(PARTS)].any(axis=1) | (table["lag"] == 0))
        return table.iloc[used[0] : used[-1] + 1].iloc[::-1].reset_index(drop=True)
