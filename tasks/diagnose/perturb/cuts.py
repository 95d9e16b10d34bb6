"""Where to cut: leaks show beside gaps, at the ends of weeks and months, at universe changes."""

from collections.abc import Iterable
from itertools import chain, zip_longest

import numpy as np
import pandas as pd
from numpy.random import Generator

from foldproof.tasks.diagnose.perturb.rows import KEYS

WEDNESDAY = 2


def choose_cuts(frame: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """Dates of ``frame`` after which to change everything, the last date excepted.

    A back-fill shows only at a cut inside a gap, a month's mean only inside the month: so cuts are
    taken in turn from dates inside gaps (or before a listing), just before gaps (or a delisting),
    Wednesdays, month ends and all dates. A leak visible at a share p of the dates is seen by K
    random cuts with probability 1 - (1 - p)^K.

    Args:
        frame: Long rows with ``date`` and ``symbol``.
        count: How many at most.
        seed: Of the draw.

    Returns:
        (K,) datetime64, ascending, K <= count.
    """
    dates, date_codes = np.unique(frame["date"].to_numpy(), return_inverse=True)
    symbols, symbol_codes = np.unique(frame["symbol"].to_numpy(), return_inverse=True)
    generator = np.random.default_rng(seed)
    seen = np.zeros((len(dates), len(symbols)), dtype=bool)
    seen[date_codes, symbol_codes] = True
    inside = [np.flatnonzero((~seen[:-1] & seen[1:]).any(axis=1))]
    before = [np.flatnonzero((seen[:-1] & ~seen[1:]).any(axis=1))]
    for column in (name for name in frame if name not in KEYS):
        there = np.zeros_like(seen)
        there[date_codes, symbol_codes] = frame[column].notna().to_numpy()
        hole = seen & ~there
        inside.append(np.flatnonzero((hole[:-1] & there[1:]).any(axis=1)))
        before.append(np.flatnonzero((there[:-1] & hole[1:]).any(axis=1)))
    strata = [
        interleaved(generator.permutation(rows) for rows in inside),
        interleaved(generator.permutation(rows) for rows in before),
        *calendar_strata(dates, generator),
    ]
    return dates[in_turn(strata, count)]


def choose_rows(dates: np.ndarray, rows: range, count: int, seed: int) -> list[int]:
    """Up to ``count`` of ``rows`` to cut after: Wednesdays, month ends and any, in turn; ascending.

    The last of ``dates`` (D,) is no cut: nothing comes after it.
    """
    strata = calendar_strata(dates, np.random.default_rng(seed))
    inside = [[row for row in stratum if row in rows] for stratum in strata]
    return in_turn(inside, count)


def calendar_strata(dates: np.ndarray, generator: Generator) -> list[list[int]]:
    """Rows of Wednesdays, of month ends and of all dates but the last, each in random order."""
    stamps = pd.DatetimeIndex(dates)
    month_ends = np.flatnonzero(stamps.month[:-1] != stamps.month[1:])
    wednesdays = np.flatnonzero(stamps.day_of_week[:-1] == WEDNESDAY)
    every = np.arange(len(dates) - 1)
    return [generator.permutation(rows).tolist() for rows in (wednesdays, month_ends, every)]


def interleaved(groups: Iterable[np.ndarray]) -> list[int]:
    """The first of each group, the second of each, and so on."""
    turns = zip_longest(*(group.tolist() for group in groups))
    return [row for row in chain.from_iterable(turns) if row is not None]


def in_turn(strata: list[list[int]], count: int) -> list[int]:
    """Up to ``count`` different rows, taken from the strata in turn; ascending."""
    return sorted(list(dict.fromkeys(interleaved(map(np.array, strata))))[:count])
