"""Forecasts without some of the features, and the rank IC that they lose."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from tasks.attribute.gradients import CHUNK, ForwardOf, outputs_at
from tasks.cross_section import correlation

LEAST_NAMES = 3
"""Samples of a date below which their order says nothing."""


@dataclass(frozen=True, eq=False)
class Removal:
    """Where features are taken away.

    Attributes:
        forward: Points (P, T, F) and rows of their samples (P,) -> (P,).
        inputs: (B, T, F) windows, cross-sections of several dates.
        filler: (B, T, F) windows of the training block; a feature that is removed is replaced by
            the filler's at every lag, so that the network still sees a window it could meet.
        dates: (B,) the date of each sample.
    """

    forward: ForwardOf
    inputs: Tensor
    filler: Tensor
    dates: np.ndarray

    def __post_init__(self) -> None:
        size = len(self.inputs)
        if self.inputs.shape != self.filler.shape or self.dates.shape != (size,):
            raise ValueError(
                f"removal needs a filler and a date for each input {tuple(self.inputs.shape)}; "
                f"filler {tuple(self.filler.shape)}, dates {self.dates.shape}"
            )

    def forecasts(self, gone: np.ndarray, chunk: int = CHUNK) -> np.ndarray:
        """(N, F) which features are removed -> (N, B) forecasts."""
        there = torch.from_numpy(gone).to(self.inputs.device)
        rows = [
            outputs_at(self.forward, torch.where(mask, self.filler, self.inputs), chunk)
            for mask in there
        ]
        return torch.stack(rows).cpu().numpy()


def thinned_dates(
    available: Tensor, days: int, dates: int, cells: int, generator: Generator
) -> Tensor:
    """About ``cells`` samples in cross-sections of evenly spread dates, some of each.

    A rank IC needs no whole cross-section, and its mean over dates has an interval only if there
    are several.

    Args:
        available: (N,) samples s * ``days`` + d.
        days: D, date rows of the panel.
        dates: Dates with enough samples to thin; small cross-sections are taken whole, of more.
        cells: Samples at most, three a date at least.
        generator: Source of the choice within dates.
    """
    shuffled = available[torch.randperm(len(available), generator=generator)]
    date = shuffled % days
    present, count = date.unique(return_counts=True)
    take = min(len(present), max(dates, int(cells // count.double().mean())))
    places = (torch.arange(take) + 0.5) * len(present) / take
    each = max(LEAST_NAMES, cells // take)
    return torch.cat([shuffled[date == one][:each] for one in present[places.long()]])


def steps(features: int, most: int) -> tuple[int, ...]:
    """How many features are removed: at most ``most`` numbers k, and with k also features - k.

    So what all but the first k of an order lose is what the first features - k of the reverse do.

    Raises:
        ValueError: Fewer than two features, or ``most`` below 2.
    """
    if features < 2 or most < 2:
        raise ValueError(
            f"removal needs two features and two steps at least; there are {features} and {most}"
        )
    if features - 1 <= most:
        return tuple(range(1, features))
    few = np.geomspace(1, features / 3, most // 2).round().astype(int)
    return tuple(sorted({*few.tolist(), *(features - few).tolist()}))


def orders(features: int, most: int, generator: np.random.Generator) -> np.ndarray:
    """(M, F) all orders of the features if there are at most ``most``, else as many random ones."""
    if factorial(features) <= most:
        return np.array(list(permutations(range(features))))
    return np.stack([generator.permutation(features) for _ in range(most)])


def removed_first(order: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """(M, F) orders -> (M, K, F): whether a feature is among the first k of its order."""
    place = np.argsort(order, axis=-1)
    return place[:, None, :] < np.array(counts)[:, None]


def losses(
    removal: Removal, reference: Sequence[np.ndarray], order: np.ndarray, counts: Sequence[int]
) -> np.ndarray:
    """Rank IC lost when the first features of an order are removed, mean over their number.

    Args:
        removal: Where.
        reference: R targets (B,) with which the forecasts' ranks are correlated within dates.
        order: (M, F) orders of the features, the first to go first.
        counts: Numbers of features that are removed.

    Returns:
        (R, M, D), the dates ascending; a set of features that several orders share is removed
        once. NaN on dates with fewer than three known targets.
    """
    gone = removed_first(order, counts)
    sets, which = np.unique(gone.reshape(-1, order.shape[1]), axis=0, return_inverse=True)
    none = np.zeros((1, order.shape[1]), dtype=bool)
    forecasts = removal.forecasts(np.concatenate([none, sets]))
    ics = np.stack([rank_ics(forecasts, target, removal.dates) for target in reference])
    lost = ics[:, :1] - ics[:, 1:]  # (R, N, D)
    return lost[:, which.reshape(gone.shape[:2])].mean(2)


def rank_ics(forecasts: np.ndarray, target: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """(N, B) forecasts, (B,) target, (B,) dates -> (N, D) Spearman correlations within dates.

    Ties have their mean rank; samples without target are left out; 0 where either is constant,
    NaN on dates with fewer than three targets.
    """
    distinct, row = np.unique(dates, return_inverse=True)
    known = np.isfinite(target)
    column = pd.Series(row).groupby(row).cumcount().to_numpy()
    shape = (len(forecasts), len(distinct), int(column.max()) + 1)
    wide, goal = np.full(shape, np.nan), np.full(shape, np.nan)
    wide[:, row[known], column[known]] = forecasts[:, known]
    goal[:, row[known], column[known]] = target[known]
    usable = np.isfinite(goal[0]).sum(1) >= LEAST_NAMES
    daily = np.full(shape[:2], np.nan)
    if usable.any():
        pair = (
            pd.DataFrame(values[:, usable].reshape(-1, shape[2])).rank(axis=1).to_numpy()
            for values in (wide, goal)
        )
        daily[:, usable] = correlation(*pair).reshape(len(forecasts), -1)
    return daily
