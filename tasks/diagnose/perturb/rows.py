"""Rows changed after a cut, and cells of earlier rows that are not known at the cut."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.random import Generator

from foldproof.tasks.diagnose.perturb.cells import changed_column, require_untouched
from foldproof.tasks.diagnose.perturb.perturbations import DOSES, PERTURBATIONS

KEYS = ("date", "symbol")
"""Columns that identify a row; they never change."""


def change_rows(
    frame: pd.DataFrame,
    rows: np.ndarray,
    name: str,
    generator: Generator,
    late: Mapping[str, np.ndarray] = MappingProxyType({}),
    dated: bool = False,
) -> pd.DataFrame:
    """A copy of long ``frame`` with ``rows`` removed or changed in every column.

    Columns of dates change only if ``dated``. No column changes its type, and no other cell changes
    a bit.

    Args:
        frame: Long rows.
        rows: (n,) bool, the rows after the cut.
        name: Key of :data:`PERTURBATIONS`, or of :data:`DOSES`.
        generator: Source of the noise.
        late: Column -> (n,) bool, cells of earlier rows that are not known at the cut, such as
            labels. They change like the rows, and go missing where rows are removed.
        dated: Shuffle dates too.
    """
    perturbation = {**PERTURBATIONS, **DOSES}[name]
    of_cells = PERTURBATIONS["missing"] if perturbation.change is None else perturbation
    everywhere = [column for column in frame if column not in KEYS]
    changed = frame.copy()
    for column in late if perturbation.change is None else everywhere:
        cells = rows | late.get(str(column), np.False_)
        new = changed_column(frame[column], cells, of_cells, generator, dated)
        require_untouched(frame[column], new, ~cells)
        changed[column] = new
    return changed[~rows] if perturbation.change is None else changed


def late_cells(
    frame: pd.DataFrame, known_at: Mapping[str, str], cut: np.datetime64
) -> dict[str, np.ndarray]:
    """Column -> (n,) bool, cells that are not known on the date ``cut``.

    Args:
        frame: Long rows.
        known_at: Column -> column of the date on which its cell becomes known. A missing date
            means never.
        cut: The date of the cut.
    """
    return {
        column: ~(frame[known] <= cut).to_numpy(dtype=bool, na_value=False)
        for column, known in known_at.items()
    }


def change_after(
    frame: pd.DataFrame,
    known_at: Mapping[str, str],
    cut: np.datetime64,
    name: str,
    generator: Generator,
    late_only: bool = False,
) -> pd.DataFrame:
    """A copy of ``frame`` with everything that is not known on the date ``cut`` changed.

    Args:
        frame: Long rows.
        known_at: See :func:`late_cells`.
        cut: The last date whose rows are kept.
        name: Key of :data:`PERTURBATIONS`.
        generator: Source of the noise.
        late_only: Keep later rows; change only the cells of earlier rows that are not known yet.
    """
    later, late = (frame["date"] > cut).to_numpy(), late_cells(frame, known_at, cut)
    if late_only:
        late = {column: cells & ~later for column, cells in late.items()}
        later = np.zeros_like(later)
    return change_rows(frame, later, name, generator, late)


def schedule(cuts: int, names: tuple[str, ...], each: int = 2) -> list[tuple[int, str]]:
    """(cut, perturbation) pairs: the first of ``names`` at every cut and the others in turn.

    Args:
        cuts: Number of cuts.
        names: Keys of PERTURBATIONS.
        each: Changes at a cut: 2, or 1 to take all of ``names`` in turn.
    """
    first, *others = names
    if each == 1 or not others:
        return [(cut, names[cut % len(names)]) for cut in range(cuts)]
    return [(cut, name) for cut in range(cuts) for name in (first, others[cut % len(others)])]
