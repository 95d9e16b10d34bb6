"""A test of a mean that may be repeated at any time: random signs, and a level spent by dates.

scipy is not needed; everything is a loop over the blocks of one series.
"""

from functools import lru_cache

import numpy as np

YEAR = 252
"""Dates that spend the whole level."""
BLOCK = 5
"""Dates in a block."""
COPIES = 9_999
"""Copies of a series with random signs that it is compared with."""
POWER = 0.8
"""Probability with which a year of tests finds the detectable mean."""
PATHS = 4_000
"""Simulated series behind the detectable mean."""
ROUNDING = 1e-12
"""Sums that differ by less than this share of the sum of sizes are equal."""
HALVINGS = 14
"""Steps of a bisection."""


def block_slices(dates: np.ndarray, known: np.ndarray) -> list[slice]:
    """Blocks of dates whose labels do not overlap with the labels of other blocks.

    A block has ``BLOCK`` dates. The next one starts on the first date on which every label of the
    block is known. The label of date d over h dates ends on date d + 1 + h, so h dates between two
    blocks are left out.

    Args:
        dates: (n,) datetime64, increasing.
        known: (n,) datetime64, the date on which the label of each date becomes known.
    """
    start, found = 0, []
    while start + BLOCK <= len(dates):
        found.append(slice(start, start + BLOCK))
        start = max(start + BLOCK, int(np.searchsorted(dates, known[start + BLOCK - 1])))
    return found


def spent_level(levels: np.ndarray, parts: list[slice]) -> np.ndarray:
    """(K,) level spent by the end of each block, if each date has a yearly level (n,)."""
    return np.cumsum(levels)[[part.stop - 1 for part in parts]] / YEAR


def exceeds(values: np.ndarray, spent: np.ndarray, least: float = 0.0) -> bool:
    r"""Whether the mean of the blocks was significantly above ``least`` at any block so far.

    The sums of the series after each block, :math:`S_k = \sum_{j \le k} (x_j - m)`, are compared
    with the sums of ``COPIES`` copies whose terms have the same sizes and random signs. At block k
    the highest of the remaining sums leave, so many that their total share is at most the level
    spent by then; equal sums stay together. The mean is significant once the series itself leaves.

    If each term, given its size and the past, is positive with probability 1/2 at most, the series
    leaves by block k with probability ``spent[k]`` at most, however often and whenever the test is
    repeated. So the terms of different blocks may not share labels, and their null distribution is
    symmetric; nothing is assumed about variance, tails or number of blocks. This is the
    sign-change test of Fisher (1935) with the level spent over time (Lan & DeMets 1983, Biometrika
    70), here in proportion to the number of dates.

    Args:
        values: (K,) means of consecutive blocks.
        spent: (K,) level spent by the end of each block, not decreasing.
        least: The mean of the null hypothesis.
    """
    excess, signs = values - least, random_signs(len(values))
    rounding = ROUNDING * float(np.abs(excess).sum())
    sums, left = np.zeros(COPIES + 1), 0
    for value, sign, level in zip(excess, signs, spent, strict=True):
        sums[0] += value
        sums[1:] += sign * abs(value)
        edge = upper_edge(sums, level, left)
        leaving = sums > edge + rounding
        if leaving[0]:
            return True
        left += int(leaving.sum())
        sums[leaving] = -np.inf
    return False


def upper_edge(sums: np.ndarray, level: float, left: int) -> float:
    """The sum that must be exceeded to leave, if ``left`` of ``sums`` left before (now -inf)."""
    allowed = min(int(level * len(sums) + ROUNDING), len(sums) - 1) - left
    return float(np.partition(sums, -allowed - 1)[-allowed - 1]) if allowed > 0 else np.inf


@lru_cache(maxsize=4)
def random_signs(count: int) -> np.ndarray:
    """(``count``, COPIES) signs, the same in every test: block by block from one fixed seed."""
    draw = np.random.default_rng(0).integers(0, 2, (count, COPIES), dtype=np.int8)
    return 2 * draw - 1


def lower_bound(values: np.ndarray, spent: np.ndarray) -> float:
    """The largest mean that the blocks significantly exceed; -inf if there are too few blocks.

    It lies above the true mean with probability ``spent[-1]`` at most, at all blocks together.
    """
    if not conclusive(spent):
        return -np.inf
    low, high = float(values.min()) - 1e-6, float(values.max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if exceeds(values, spent, middle) else (low, middle)
    return low


def conclusive(spent: np.ndarray) -> bool:
    """Whether there are enough blocks for any mean to be significant."""
    enough = len(spent) > 0 and spent[-1] * (COPIES + 1) >= 1
    return enough and exceeds(np.ones(len(spent)), spent)


@lru_cache(maxsize=64)
def fewest_dates(level: float, horizon: int) -> int:
    """The fewest dates on which any mean is significant, at the yearly ``level``."""
    count = 1
    while not conclusive(spent_at(level, horizon, count)):
        count += 1
    return count * BLOCK + (count - 1) * horizon


def spent_at(level: float, horizon: int, count: int) -> np.ndarray:
    """(``count``,) yearly ``level`` spent by the end of each block of a series without holes."""
    return level * (BLOCK + np.arange(count) * (BLOCK + horizon)) / YEAR


def blocks_of_a_year(horizon: int) -> int:
    """Blocks in a year of dates without holes, at least one."""
    return max(1, (YEAR + horizon) // (BLOCK + horizon))


@lru_cache(maxsize=64)
def detectable(level: float, horizon: int) -> float:
    """The mean that a year of tests finds with probability ``POWER``, in deviations of a block.

    It is found by simulation with normal blocks; infinite if a year has too few blocks.
    """
    if fewest_dates(level, horizon) > YEAR:
        return np.inf
    count = blocks_of_a_year(horizon)
    sums = np.cumsum(np.random.default_rng(0).standard_normal((count, COPIES + 1)), axis=0)
    edges, left, run = [], 0, sums.copy()
    for k, level_now in enumerate(spent_at(level, horizon, count)):
        edges.append(upper_edge(run[k], level_now, left))
        leaving = run[k] > edges[k]
        left += int(leaving.sum())
        run[:, leaving] = -np.inf
    paths, steps = sums[:, :PATHS], np.arange(1, count + 1)[:, None]
    low, high = 0.0, 8.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = np.mean((paths + middle * steps > np.array(edges)[:, None]).any(axis=0))
        low, high = (low, middle) if found >= POWER else (middle, high)
    return high
