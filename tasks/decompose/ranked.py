"""Forecasts as ranks within each date, so that many targets are scored at little cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from foldproof.tasks.statistics.rank_ic import rank_correlation


def centred_ranks(values: np.ndarray) -> np.ndarray:
    """(D, S) ranks within each row less their mean, ties by their mean rank; 0 where missing."""
    found = pd.DataFrame(values).rank(axis=1).to_numpy()
    number = np.isfinite(found).sum(axis=1, keepdims=True)
    return np.nan_to_num(found - (number + 1) / 2)


@dataclass(frozen=True, eq=False)
class Ranked:
    """Forecasts of N rows on the same cells.

    Attributes:
        names: N names.
        forecasts: (N, D, S); NaN at the same cells of every row.
    """

    names: tuple[str, ...]
    forecasts: np.ndarray

    @cached_property
    def cells(self) -> np.ndarray:
        """(D, S) bool: where there are forecasts."""
        return np.isfinite(self.forecasts[0])

    @cached_property
    def ranks(self) -> np.ndarray:
        """(N, D, S) centred ranks."""
        return np.stack([centred_ranks(one) for one in self.forecasts])

    @cached_property
    def sizes(self) -> np.ndarray:
        """(N, D) Euclidean norms of the ranks; 0 where all forecasts are equal."""
        return np.sqrt((self.ranks**2).sum(axis=-1))

    def correlations(self, ranks: np.ndarray) -> np.ndarray:
        """(D, N) correlation of the forecasts' ranks with other centred ranks (D, S).

        A cell without the other rank counts as the middle of its date. 0 where either is constant.
        """
        own = np.where(self.cells, ranks, 0.0)
        size = self.sizes * np.sqrt((own**2).sum(axis=-1))
        products = np.einsum("nds,ds->nd", self.ranks, own)
        return np.divide(products, size, out=np.zeros(size.shape), where=size > 0).T

    def rank_ics(self, target: np.ndarray) -> np.ndarray:
        """(D, N) rank IC against a target (D, S), on the cells that have one.

        NaN on a date with fewer than three such cells. Dates on which a cell lacks the target are
        ranked again.
        """
        known = np.isfinite(target)
        daily = self.correlations(centred_ranks(np.where(self.cells, target, np.nan)))
        again = (self.cells & ~known).any(axis=1) | (self.cells.sum(axis=1) < 3)
        if again.any():
            for place, own in enumerate(self.forecasts):
                daily[again, place] = rank_correlation(own[again], target[again])
        return daily

    def rows(self, names: Sequence[str]) -> "Ranked":
        """The rows ``names``."""
        return Ranked(tuple(names), self.forecasts[[self.names.index(name) for name in names]])
