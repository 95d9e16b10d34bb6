"""Dates to cut at: beside gaps, at ends of weeks and months, at listings and delistings."""

from collections.abc import Iterable
from itertools import chain, zip_longest

import numpy as np
import pandas as pd
from numpy.random import Generator

from foldproof.models.date_rows import Rows
from foldproof.tasks.diagnose.perturb.rows import KEYS

WEDNESDAY = 2


def choose_cuts(frame: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """Dates of ``frame`` after which to change everything; the last date is never one.

    A back-fill shows only at a cut inside a gap, the mean of a month only inside the month. So the
    cuts come in turn from dates inside gaps (or before a listing), just before gaps (or a
    delisting), Wednesdays, month ends and all dates. K random cuts detect a leak that shows on a
    share p of the dates with probability 1 - (1 - p)^K.

    Args:
        frame: Long rows with ``date`` and ``symbol``.
        count: Largest number of cuts.
        seed: Seed of the draw.

    Returns:
        (K,) datetime64, ascending, K <= count.
    """
    date_codes, stamps = pd.factorize(frame["date"], sort=True)
    symbol_codes, symbols = pd.factorize(frame["symbol"], sort=True)
    dates = stamps.to_numpy()
    generator = np.random.default_rng(seed)
    listed = np.zeros((len(dates), len(symbols)), dtype=bool)
    listed[date_codes, symbol_codes] = True
    presence = [(listed, ~listed)]
    for column in (name for name in frame if name not in KEYS):
        given = np.zeros_like(listed)
        given[date_codes, symbol_codes] = frame[column].notna().to_numpy()
        presence.append((given, listed & ~given))
    inside = [np.flatnonzero((gap[:-1] & given[1:]).any(axis=1)) for given, gap in presence]
    before = [np.flatnonzero((given[:-1] & gap[1:]).any(axis=1)) for given, gap in presence]
    strata = [
        interleaved(generator.permutation(rows) for rows in inside),
        interleaved(generator.permutation(rows) for rows in before),
        *calendar_strata(dates, generator),
    ]
    return dates[in_turn(strata, count)]


def choose_rows(dates: np.ndarray, rows: Rows, count: int, seed: int) -> list[int]:
    """Up to ``count`` of ``rows`` to cut after, ascending: Wednesdays, month ends, any, in turn.

    The last of ``dates`` (D,) is never a cut: no row comes after it.
    """
    strata = calendar_strata(dates, np.random.default_rng(seed))
    inside = [[row for row in stratum if row in rows] for stratum in strata]
    return in_turn(inside, count)


def calendar_strata(dates: np.ndarray, generator: Generator) -> list[list[int]]:
    """Rows of Wednesdays, of month ends and of all dates but the last; each in random order."""
    stamps = pd.DatetimeIndex(dates)
    month_ends = np.flatnonzero(stamps.month[:-1] != stamps.month[1:])
    wednesdays = np.flatnonzero(stamps.day_of_week[:-1] == WEDNESDAY)
    every = np.arange(len(dates) - 1)
    return [generator.permutation(rows).tolist() for rows in (wednesdays, month_ends, every)]


def interleaved(groups: Iterable[np.ndarray]) -> list[int]:
    """The first row of each group, then the second of each, and so on."""
    turns = zip_longest(*(group.tolist() for group in groups))
    return [row for row in chain.from_iterable(turns) if row is not None]


def in_turn(strata: list[list[int]], count: int) -> list[int]:
    """Up to ``count`` different rows, ascending, taken from the strata in turn."""
    return sorted(list(dict.fromkeys(interleaved(map(np.array, strata))))[:count])
