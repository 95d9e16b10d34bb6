from itertools import permutations, product

import numpy as np
import pytest

from foldproof.tasks.attribute.trust.random_rankings import random_agreement, random_band
from foldproof.tasks.statistics.agreement import rank_agreement, spearman


@pytest.mark.parametrize(("features", "draws"), [(3, 1), (4, 1), (4, 2), (3, 3), (6, 1)])
def test_the_band_of_random_rankings_is_exact(features: int, draws: int) -> None:
    """By enumeration: the band contains 95 of 100 rankings, and no smaller value does."""
    base = np.arange(features, dtype=float)
    single = [spearman(base, np.array(one, dtype=float)) for one in permutations(base)]
    means = np.abs([np.mean(several) for several in product(single, repeat=draws)])
    band = random_band(features, draws)
    assert (means > band + 1e-9).mean() <= 0.05
    smaller = max((mean for mean in means if mean < band - 1e-9), default=-1.0)
    assert (means > smaller + 1e-9).mean() > 0.05


def test_known_critical_values() -> None:
    """Tables give 0.886 for six and 0.738 for eight features; the bound is one value below."""
    assert random_band(4) == 1
    assert random_band(6) == pytest.approx(0.886 - 2 / 35, abs=1e-3)
    assert random_band(8) == pytest.approx(0.738 - 1 / 42, abs=1e-3)
    assert random_band(20) == pytest.approx(1.96 / np.sqrt(19), abs=1e-3)
    assert random_band(20, 4) == pytest.approx(1.96 / np.sqrt(4 * 19), abs=1e-3)


def test_random_agreement_equals_enumeration_and_the_normal_law() -> None:
    base = np.arange(5.0)
    taus = [rank_agreement(base, np.array(one)) for one in permutations(base)]
    exact = np.quantile(taus, 0.95, method="higher")
    assert random_agreement(5, 2) == pytest.approx(exact, abs=1e-9)
    spread = np.sqrt(2 * (2 * 20 + 5) / (9 * 20 * 19))  # Kendall 1938
    assert random_agreement(20, 2) == pytest.approx(1.645 * spread, rel=0.1)
    assert random_agreement(20, 2, groups=4) == pytest.approx(1.645 * spread / 2, rel=0.1)
