"""Forecasts as ranks within each date, so that many targets are scored at little cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from foldproof.tasks.statistics.rank_ic import LEAST_NAMES, centred_ranks, rank_correlation


@dataclass(frozen=True, eq=False)
class Ranked:
    """Forecasts of N rows on the same cells, as ranks: nothing else of them is used.

    Attributes:
        names: N names.
        cells: (D, S) bool: where there are forecasts.
        ranks: (N, D, S) float32 centred ranks, 0 outside the cells. Multiples of one half, so
            float32 holds them exactly.
    """

    names: tuple[str, ...]
    cells: np.ndarray
    ranks: np.ndarray

    @classmethod
    def of(cls, forecasts: Mapping[str, np.ndarray]) -> "Ranked":
        """The ranks of forecasts (D, S) by name, NaN at the same cells of all."""
        cells = np.isfinite(next(iter(forecasts.values())))
        ranks = np.empty((len(forecasts), *cells.shape), np.float32)
        for place, one in enumerate(forecasts.values()):
            ranks[place] = centred_ranks(one)
        return cls(tuple(forecasts), cells, ranks)

    @cached_property
    def sizes(self) -> np.ndarray:
        """(N, D) Euclidean norms of the ranks; 0 where all forecasts are equal."""
        return np.stack([np.sqrt((one.astype(float) ** 2).sum(axis=-1)) for one in self.ranks])

    def row(self, place: int) -> np.ndarray:
        """(D, S) ranks of one row, NaN outside the cells."""
        return np.where(self.cells, self.ranks[place], np.nan)

    def correlations(self, ranks: np.ndarray) -> np.ndarray:
        """(D, N) correlation of the forecasts' ranks with other centred ranks (D, S).

        A cell without the other rank counts as the middle of its date. 0 where either is constant.
        """
        own = np.where(self.cells, ranks, 0.0)
        size = self.sizes * np.sqrt((own**2).sum(axis=-1))
        products = np.stack([(one * own).sum(axis=-1) for one in self.ranks])
        return np.divide(products, size, out=np.zeros(size.shape), where=size > 0).T

    def rank_ics(self, target: np.ndarray) -> np.ndarray:
        """(D, N) rank IC against a target (D, S), on the cells that have one.

        NaN on a date with fewer than three such cells. Dates on which a cell lacks the target are
        ranked again.
        """
        known = np.isfinite(target)
        daily = self.correlations(centred_ranks(np.where(self.cells, target, np.nan)))
        again = (self.cells & ~known).any(axis=1) | (self.cells.sum(axis=1) < LEAST_NAMES)
        if again.any():
            for place in range(len(self.names)):
                daily[again, place] = rank_correlation(self.row(place)[again], target[again])
        return daily
