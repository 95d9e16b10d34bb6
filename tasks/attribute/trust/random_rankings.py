"""Rank correlations of random feature rankings, the null of the stability checks."""

from functools import cache
from itertools import permutations

import numpy as np

from foldproof.tasks.statistics.agreement import mean_pairwise_tau

EXACT = 8
"""Number of features up to which every ranking is enumerated (8! = 40,320)."""
BLOCKS, BLOCK = 40, 100
"""Sets of random rankings where enumeration is too long, in blocks that are small in memory."""
INSIDE = 1e-9
"""Tolerance for rounding: a correlation this close to the bound lies on it, not beyond."""


@cache
def random_band(features: int, draws: int = 1, level: float = 0.05) -> float:
    """Bound of |mean rho| of ``draws`` random rankings against one, with probability 1 - ``level``.

    The smallest r with P(|mean rho| > r) <= level. Exact up to eight features, where rho has few
    values; normal beyond, with variance 1 / (draws (features - 1)).

    Args:
        features: F, ranked features.
        draws: Independent random rankings whose rho is averaged.
        level: Chance of a mean beyond the bound.
    """
    if features > EXACT:
        from scipy.special import ndtri  # here: slow to import, and configurations load first

        return float(-ndtri(level / 2) / np.sqrt(draws * (features - 1)))
    values, chance = mean_rho_distribution(features, draws)
    beyond = np.array([chance[np.abs(values) > bound + INSIDE].sum() for bound in values])
    return float(values[(values >= 0) & (beyond <= level)].min())


def mean_rho_distribution(features: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of the mean rho of random rankings, ascending, and their probabilities.

    rho = 1 - 6 S / (F^3 - F) with S the sum of squared rank differences, which is always even, so
    the distribution of the sum of several S follows by convolution.
    """
    ranks = np.array(list(permutations(range(features))))
    squares = ((ranks - np.arange(features)) ** 2).sum(1) // 2
    single = np.bincount(squares) / len(squares)
    chance = np.ones(1)
    for _ in range(draws):
        chance = np.convolve(chance, single)
    mean_half = np.arange(len(chance)) / draws
    values = 1 - 12 * mean_half / (features**3 - features)
    return values[::-1], chance[::-1]


@cache
def random_agreement(features: int, runs: int, groups: int = 1, level: float = 0.05) -> float:
    """Quantile 1 - ``level`` of the mean pairwise tau of random rankings, from seeded draws.

    Args:
        features: F, ranked features.
        runs: R, rankings that are compared pairwise.
        groups: Independent sets of rankings whose means are averaged.
        level: Chance of a mean above.
    """
    generator, shape = np.random.default_rng(0), (BLOCK, groups, runs, features)
    means = [mean_pairwise_tau(generator.random(shape)).mean(-1) for _ in range(BLOCKS)]
    return float(np.quantile(np.concatenate(means), 1 - level, method="higher"))
