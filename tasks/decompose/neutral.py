"""Neutral forecasts: what is left of them, date by date, without style columns and sectors."""

import numpy as np

from foldproof.tasks.decompose.ranked import Ranked, centred_ranks
from foldproof.tasks.statistics.rank_ic import rank_correlation

LEAST_FREE = 3
"""Degrees of freedom that a date must have left; with fewer it is not neutralized."""
TOLERANCE = 1e-9
"""Residuals below this share of the forecast's size are rounding."""


def style_ranks(values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(D, S, K) centred ranks of style columns among the forecast ``cells`` (D, S).

    A missing exposure becomes 0, the middle of its date, as risk models do.
    """
    columns = [
        centred_ranks(np.where(cells, values[..., k], np.nan)) for k in range(values.shape[2])
    ]
    return np.stack(columns, axis=-1) if columns else np.zeros((*cells.shape, 0))


def sector_dummies(codes: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(D, S, G) an indicator of each sector among the forecast cells, less its mean by date.

    Args:
        codes: (D, S) int: number of the sector; -1 where it is unknown, which is a group too.
        cells: (D, S) bool.
    """
    found = np.stack([(codes == code) & cells for code in np.unique(codes[cells])], axis=-1)
    share = found.sum(axis=1, keepdims=True) / np.maximum(cells.sum(axis=1), 1)[:, None, None]
    return np.where(cells[..., None], found - share, 0.0)


def neutralized(ranked: Ranked, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of the forecasts' ranks that the columns do not explain.

    Each date has its own least-squares regression of the ranks on the columns with an intercept.

    Args:
        ranked: Forecasts of N rows.
        columns: (D, S, K) centred within each date, 0 outside the cells; may be collinear.

    Returns:
        (N, D, S) residuals, exactly 0 where only rounding is left and NaN outside the cells, and
        (D,) bool: the dates with at least three degrees of freedom left.
    """
    size = np.sqrt((columns**2).sum(axis=1, keepdims=True))
    unit = np.divide(columns, size, out=np.zeros(columns.shape), where=size > 0)
    gram = np.einsum("dsk,dsl->dkl", unit, unit)
    products = np.einsum("dsk,nds->ndk", unit, ranked.ranks)
    slopes = np.einsum(
        "dkl,ndl->ndk", np.linalg.pinv(gram, rcond=TOLERANCE, hermitian=True), products
    )
    left = ranked.ranks - np.einsum("dsk,ndk->nds", unit, slopes)
    scale = ranked.sizes[..., None]
    share = np.divide(left, scale, out=np.zeros(left.shape), where=scale > 0)
    rounded = np.round(share / TOLERANCE) * TOLERANCE + 0.0
    explained = np.linalg.matrix_rank(gram, tol=TOLERANCE, hermitian=True)
    free = ranked.cells.sum(axis=1) - 1 - explained
    return np.where(ranked.cells, rounded, np.nan), free >= LEAST_FREE


def neutral_rank_ics(ranked: Ranked, columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(D, N) rank IC of the residuals; NaN on dates with too few names for the columns.

    A forecast that the columns explain in full has rank IC 0.
    """
    left, usable = neutralized(ranked, columns)
    daily = np.stack([rank_correlation(one, target) for one in left], axis=1)
    daily[~usable] = np.nan
    return daily
