"""Perturbations of later rows: remove them, blank them, add noise or flip signs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.random import Generator

from foldproof.tasks.diagnose.findings.catalogue import by_key

KEYS = ("date", "symbol")
"""Columns that identify a row; they never change."""
SIGMAS = 3.0
"""Size of the noise in standard deviations of the column."""


@dataclass(frozen=True)
class Perturbation:
    """One way to change rows.

    Attributes:
        key: Its name.
        title: Its name in reports.
        change: (n,) float64 values of a column and a generator -> (n,) values; None to drop rows.
        change_labels: The same for columns that are not numeric; None keeps them.
    """

    key: str
    title: str
    change: Callable[[np.ndarray, Generator], np.ndarray] | None
    change_labels: Callable[[np.ndarray, Generator], np.ndarray] | None = None


def blank(values: np.ndarray, generator: Generator) -> np.ndarray:
    """Every value missing."""
    return np.full_like(values, np.nan)


def blur(values: np.ndarray, generator: Generator) -> np.ndarray:
    """Noise of three standard deviations; positive columns get it in logs and stay positive."""
    finite = values[np.isfinite(values)]
    noise = SIGMAS * generator.standard_normal(len(values))
    if finite.size and (finite > 0).all():
        spread = float(np.log(finite).std())
        return values * np.exp(noise * (min(spread, 1.0) if spread > 0 else 1.0))
    spread = float(finite.std()) if finite.size else 0.0
    return values + noise * (spread if spread > 0 else 1.0)


def mirror(values: np.ndarray, generator: Generator) -> np.ndarray:
    """Signs flipped; positive columns are mirrored in logs and stay positive."""
    finite = values[np.isfinite(values)]
    if finite.size and (finite > 0).all():
        return np.exp(2 * np.log(finite).mean()) / values
    return -values


def shuffle(labels: np.ndarray, generator: Generator) -> np.ndarray:
    """The same labels in another order."""
    return generator.permutation(labels)


PERTURBATIONS = by_key(
    Perturbation("truncate", "rows removed", None),
    Perturbation("missing", "values set to missing", blank),
    Perturbation("noise", "noise of 3 sd", blur, shuffle),
    Perturbation("flip", "signs flipped", mirror),
)
"""Every perturbation by its key. None only shuffles rows in time: that misses leaks by means."""


def checked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """``names``, checked to be keys of :data:`PERTURBATIONS`.

    Raises:
        ValueError: There are none, or one is unknown.
    """
    unknown = [name for name in names if name not in PERTURBATIONS]
    if unknown or not names:
        raise ValueError(
            f"perturbations must be one or more of {', '.join(PERTURBATIONS)}; "
            f"they are {', '.join(map(str, names)) or 'none'}"
        )
    return names


def change_rows(
    frame: pd.DataFrame,
    rows: np.ndarray,
    name: str,
    generator: Generator,
    late: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> pd.DataFrame:
    """A copy of long ``frame`` with ``rows`` removed or changed in every column.

    Columns of dates do not change. Integers are rounded, or become floats where they go missing.

    Args:
        frame: Long rows.
        rows: (n,) bool, the rows after the cut.
        name: Key of :data:`PERTURBATIONS`.
        generator: Source of the noise.
        late: Column -> (n,) bool, cells of earlier rows that are not known at the cut, such as
            labels. They change like the rows, and go missing where rows are removed.
    """
    perturbation = PERTURBATIONS[name]
    of_cells = PERTURBATIONS["missing"] if perturbation.change is None else perturbation
    everywhere = [column for column in frame if column not in KEYS]
    changed = frame.copy()
    for column in late if perturbation.change is None else everywhere:
        cells = rows | late.get(str(column), np.False_)
        changed[column] = changed_column(frame[column], cells, of_cells, generator)
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


def changed_column(
    column: pd.Series, rows: np.ndarray, perturbation: Perturbation, generator: Generator
) -> pd.Series:
    """``column`` with ``rows`` (n,) bool changed; its type changes if integers go missing."""
    if perturbation.change is None:
        raise ValueError(f"{perturbation.key} removes rows; it cannot change a column")
    if pd.api.types.is_bool_dtype(column):
        flipped = np.array(column.to_numpy(dtype=bool, na_value=False))
        flipped[rows] = ~flipped[rows] if perturbation.key != "missing" else False
        return pd.Series(flipped, index=column.index)
    if pd.api.types.is_numeric_dtype(column):
        values = np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))
        values[rows] = perturbation.change(values[rows], generator)
        whole = pd.api.types.is_integer_dtype(column) and np.isfinite(values).all()
        values = np.clip(np.rint(values), -(2**31), 2**31) if whole else values
        kept = column.dtype if whole or pd.api.types.is_float_dtype(column) else np.float64
        return pd.Series(values, index=column.index).astype(kept)
    if perturbation.change_labels is None or pd.api.types.is_datetime64_any_dtype(column):
        return column
    labels = np.array(column.to_numpy())
    labels[rows] = perturbation.change_labels(labels[rows], generator)
    return pd.Series(labels, index=column.index).astype(column.dtype)


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
