"""Daily rank ICs of single networks, before and after neutralization."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.compare.aligned import aligned_of
from foldproof.tasks.compare.cube import Tables, cube_of
from foldproof.tasks.compare.seeds import networks
from foldproof.tasks.data import Panel
from foldproof.tasks.decompose.decompose import neutral_columns
from foldproof.tasks.decompose.neutral import neutral_rank_ics
from foldproof.tasks.decompose.ranked import Ranked
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.statistics.rank_ic import rank_correlation
from foldproof.tasks.train import PREFIX

MEASURES = {"rank_ic": "rank IC", "neutral": "neutral rank IC"}
"""What is measured of a forecast, with its title."""


@dataclass(frozen=True, eq=False)
class NetworkScores:
    """Rank ICs of V variants' N networks each, on the dates and stocks that all rows forecast.

    Attributes:
        variants: V names, without reference forecasters.
        dates: (D,) in time order.
        folds: (D,) the fold of each date.
        stocks: Stocks compared on the median date.
        rank_ic: (V, N, D).
        neutral: (V, N, D') of what styles and industries do not explain, on the dates that can be
            neutralized; D' is 0 if none can, or if there is nothing to be neutral to.
    """

    variants: tuple[str, ...]
    dates: np.ndarray
    folds: np.ndarray
    stocks: int
    rank_ic: np.ndarray
    neutral: np.ndarray

    def of(self, measure: str) -> np.ndarray:
        """(V, N, D) of a key of :data:`MEASURES`."""
        return {"rank_ic": self.rank_ic, "neutral": self.neutral}[measure]


def network_scores(
    forecasts: pd.DataFrame | Tables,
    panel: Panel,
    industries: np.ndarray | None,
    spec: DecompositionSpec,
) -> NetworkScores:
    """The rank ICs of every network of the variants.

    Args:
        forecasts: Out of sample, as for :func:`~foldproof.tasks.compare.comparison.compare`.
        panel: The panel that they were made from.
        industries: (D, S) industries of the panel by number, -1 where unknown; None without.
        spec: The styles.

    Raises:
        ValueError: The forecasts cannot be aligned, or a style is not a feature of the panel.
    """
    cube = cube_of(forecasts)
    aligned = aligned_of(cube)
    cells = np.isfinite(aligned.target)
    given, dummies = neutral_columns(aligned, panel, spec.chosen(panel.features), industries)
    columns = np.concatenate([given, dummies], axis=-1)
    names, plain, neutral = [], [], []
    for name, wide in networks(cube, aligned):
        if name.startswith(PREFIX):
            continue
        names.append(name)
        plain.append(np.stack([rank_correlation(one, aligned.target) for one in wide]))
        if columns.shape[2]:
            ranked = Ranked.of({str(place): one for place, one in enumerate(wide)})
            neutral.append(neutral_rank_ics(ranked, columns, aligned.target).T)
    left = np.stack(neutral) if neutral else np.zeros((len(names), plain[0].shape[0], 0))
    return NetworkScores(
        variants=tuple(names),
        dates=aligned.dates,
        folds=aligned.folds,
        stocks=int(np.median(cells.sum(axis=1))),
        rank_ic=np.stack(plain),
        neutral=left[..., np.isfinite(left).all(axis=(0, 1))],
    )
