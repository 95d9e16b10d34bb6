"""Neutral forecasts: what is left of them, date by date, without style columns and industries."""

from collections.abc import Iterator

import numpy as np

from foldproof.tasks.decompose.ranked import Ranked
from foldproof.tasks.statistics.rank_ic import centred_ranks, rank_correlation

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


def industry_dummies(codes: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(D, S, G) an indicator of each industry among the forecast cells, less its mean by date.

    Args:
        codes: (D, S) int: number of the industry; -1 where it is unknown, which is a group too.
        cells: (D, S) bool.
    """
    found = np.stack([(codes == code) & cells for code in np.unique(codes[cells])], axis=-1)
    share = found.sum(axis=1, keepdims=True) / np.maximum(cells.sum(axis=1), 1)[:, None, None]
    return np.where(cells[..., None], found - share, 0.0)


def neutralized(ranked: Ranked, columns: np.ndarray) -> Iterator[np.ndarray]:
    """The part of each row's ranks that the columns do not explain.

    Each date has its own least-squares regression of the ranks on the columns with an intercept.

    Args:
        ranked: Forecasts of N rows.
        columns: (D, S, K) centred within each date, 0 outside the cells; may be collinear.

    Yields:
        (D, S) residuals of a row, in units of the size of its ranks: exactly 0 where only rounding
        is left, NaN outside the cells.
    """
    unit = units(columns)
    inverse = np.linalg.pinv(gram(unit), rcond=TOLERANCE, hermitian=True)
    for own, size in zip(ranked.ranks, ranked.sizes, strict=True):
        slopes = np.einsum("dkl,dl->dk", inverse, np.einsum("dsk,ds->dk", unit, own))
        left = own - np.einsum("dsk,dk->ds", unit, slopes)
        scale = np.where(size > 0, size, 1.0)[:, None]
        rounded = np.round(left / scale / TOLERANCE) * TOLERANCE + 0.0
        yield np.where(ranked.cells, rounded, np.nan)


def units(columns: np.ndarray) -> np.ndarray:
    """Columns (D, S, K) of size 1 on each date; 0 where a column is constant."""
    size = np.sqrt((columns**2).sum(axis=1, keepdims=True))
    return np.divide(columns, size, out=np.zeros(columns.shape), where=size > 0)


def gram(unit: np.ndarray) -> np.ndarray:
    """(D, K, K) products of the columns with each other."""
    return np.matmul(unit.transpose(0, 2, 1), unit)


def enough_stocks(ranked: Ranked, columns: np.ndarray) -> np.ndarray:
    """(D,) bool: the dates with three degrees of freedom beyond the columns."""
    explained = np.linalg.matrix_rank(gram(units(columns)), tol=TOLERANCE, hermitian=True)
    return ranked.cells.sum(axis=1) - 1 - explained >= LEAST_FREE


def neutral_rank_ics(ranked: Ranked, columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(D, N) rank IC of the residuals; NaN on dates with too few stocks for the columns.

    A forecast that the columns explain in full has rank IC 0.
    """
    left = neutralized(ranked, columns)
    daily = np.stack([rank_correlation(one, target) for one in left], axis=1)
    daily[~enough_stocks(ranked, columns)] = np.nan
    return daily
