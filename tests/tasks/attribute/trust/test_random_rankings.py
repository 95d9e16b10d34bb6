from itertools import combinations, permutations, product

import numpy as np
import pytest
from scipy import stats

from foldproof.tasks.attribute.trust.random_rankings import random_agreement, random_band
from foldproof.tasks.statistics.agreement import kendall, mean_pairwise_tau, spearman

TIED = np.array([3.0, 1.0, 1.0, 0.0, 7.0, 3.0])
PLAIN = np.array([0.1, 0.5, 0.2, 0.4, 0.9, 0.3])


def test_correlations_of_rankings_equal_scipys() -> None:
    generator = np.random.default_rng(0)
    pairs = [(TIED, PLAIN), *(generator.standard_normal((20, 2, 9)).round(1))]
    for x, y in pairs:
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
        assert kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


def test_a_constant_importance_agrees_with_nothing() -> None:
    assert spearman(np.ones(4), np.arange(4.0)) == 0
    assert kendall(np.ones(4), np.arange(4.0)) == 0


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.ones(3), np.ones(4), r"shapes are \(3,\) and \(4,\)"),
        (np.ones(1), np.ones(1), "same two or more features"),
        (np.ones(2), np.array([1.0, np.nan]), "must be finite"),
    ],
)
def test_invalid_rankings_are_named(x: np.ndarray, y: np.ndarray, words: str) -> None:
    for measure in (spearman, kendall):
        with pytest.raises(ValueError, match=words):
            measure(x, y)


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


def test_the_mean_over_pairs_equals_the_pairwise_computation() -> None:
    generator = np.random.default_rng(1)
    runs = generator.standard_normal((5, 7)).round(1)
    pairs = [stats.kendalltau(x, y).statistic for x, y in combinations(runs, 2)]
    assert mean_pairwise_tau(runs) == pytest.approx(np.mean(pairs), abs=1e-12)
    several = generator.standard_normal((2, 3, 4, 6))
    one = mean_pairwise_tau(several[1, 2])
    assert mean_pairwise_tau(several).shape == (2, 3)
    assert mean_pairwise_tau(several)[1, 2] == pytest.approx(one, abs=1e-12)


def test_random_agreement_equals_enumeration_and_the_normal_law() -> None:
    base = np.arange(5.0)
    taus = [kendall(base, np.array(one)) for one in permutations(base)]
    exact = np.quantile(taus, 0.95, method="higher")
    assert random_agreement(5, 2) == pytest.approx(exact, abs=1e-9)
    spread = np.sqrt(2 * (2 * 20 + 5) / (9 * 20 * 19))  # Kendall 1938
    assert random_agreement(20, 2) == pytest.approx(1.645 * spread, rel=0.1)
    assert random_agreement(20, 2, groups=4) == pytest.approx(1.645 * spread / 2, rel=0.1)
