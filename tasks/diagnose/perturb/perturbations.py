"""Perturbations of values: remove them, blank them, add noise or flip signs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from foldproof.tasks.diagnose.findings.catalogue import by_key
from foldproof.tasks.diagnose.perturb.compare import largest_ordinary, spread

DOSE = 1000.0
"""How much larger or smaller the noise is that tells a leak from rounding."""
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
    """Noise of three standard deviations; positive columns get it in logs and stay positive.

    A cell larger than the ordinary ones gets noise of its own size: otherwise one exploded cell
    would either set the noise of all others, or not move.
    """
    finite = values[np.isfinite(values)]
    noise = SIGMAS * generator.standard_normal(len(values))
    if finite.size and (finite > 0).all():
        width = float(np.log(finite).std())
        return values * np.exp(noise * (min(width, 1.0) if width > 0 else 1.0))
    if not np.abs(finite).any():
        return values + noise
    top = largest_ordinary(finite)
    return values + noise * spread(finite) * np.maximum(np.abs(values) / top, 1.0)


def surge(values: np.ndarray, generator: Generator) -> np.ndarray:
    """Noise a thousand times as large in all cells but exploded ones; positive columns stay so."""
    noisy = blur(values, generator)
    finite = values[np.isfinite(values)]
    usual = np.abs(values) <= largest_ordinary(finite)
    if finite.size and (finite > 0).all():
        large = values * np.exp(np.log(DOSE) * generator.standard_normal(len(values)).clip(-3, 3))
    else:
        large = values + DOSE * (noisy - values)
    return np.where(usual, large, noisy)


def tremble(values: np.ndarray, generator: Generator) -> np.ndarray:
    """Changes of a thousandth of each value."""
    return values * (1.0 + generator.standard_normal(len(values)) / DOSE)


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


DOSES = by_key(
    Perturbation("surge", "noise of 3000 sd", surge, shuffle),
    Perturbation("tremor", "changes of a thousandth", tremble),
)
"""Tell a leak from the rounding of an exploded cell: a leak moves results in proportion to the
change of later rows, rounding does not. They are not tests of their own."""


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
