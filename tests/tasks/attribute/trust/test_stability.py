from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from foldproof.tasks.attribute.trust.stability import agreement, stabilities, stability


def rankings(signal: float, seed: int, groups: int = 1, runs: int = 5, features: int = 10):
    generator = np.random.default_rng(seed)
    common = signal * np.linspace(0, 1, features)
    return common + generator.standard_normal((groups, runs, features))


def test_equal_rankings_agree_fully_and_reversed_ones_do_not() -> None:
    same = np.tile(np.arange(6.0), (1, 4, 1))
    assert agreement(same) == (pytest.approx(1), (pytest.approx(1), pytest.approx(1)))
    tau, interval = agreement(np.stack([np.arange(6.0), -np.arange(6.0)])[None])
    assert tau == pytest.approx(-1)
    assert np.isnan(interval).all()  # two runs: nothing is left without one of them


def test_the_interval_is_the_jackknife_over_runs() -> None:
    importances = rankings(2, 0, groups=3, runs=4)

    def mean(runs: list[int]) -> float:
        return float(
            np.mean(
                [
                    stats.kendalltau(group[a], group[b]).statistic
                    for group in importances
                    for a, b in combinations(runs, 2)
                ]
            )
        )

    left = np.array([mean([run for run in range(4) if run != out]) for out in range(4)])
    error = np.sqrt(3 / 4 * ((left - left.mean()) ** 2).sum())
    reach = stats.t.ppf(0.975, 3) * error
    tau, (low, high) = agreement(importances)
    assert tau == pytest.approx(mean([0, 1, 2, 3]), abs=1e-12)
    assert low == pytest.approx(max(tau - reach, -1), abs=1e-12)
    assert high == pytest.approx(min(tau + reach, 1), abs=1e-12)


def test_a_common_ranking_passes_and_random_rankings_pass_one_time_in_twenty() -> None:
    assert all(stability("seed_stability", rankings(4, seed)).passed for seed in range(20))
    passed = [stability("fold_stability", rankings(0, seed)).passed for seed in range(400)]
    assert 0.02 < np.mean(passed) < 0.09


def test_two_features_are_inconclusive() -> None:
    found = stability("seed_stability", np.array([[[1.0, 2.0], [1.0, 2.0]]]))
    assert found.passed is None
    assert found.detail.startswith("too few features")


def table(folds: int = 3, seeds: int = 2) -> pd.DataFrame:
    """Seeds agree on every fold; folds rank the features at random."""
    generator = np.random.default_rng(3)
    rows = []
    for fold in range(folds):
        importance = generator.permutation(12).astype(float)
        for seed in range(seeds):
            for feature, value in enumerate(importance + 0.1 * generator.standard_normal(12)):
                rows.append(("zscore", fold, seed, "mean_partial", f"f{feature}", value))
    columns = ["variant", "fold", "seed", "method", "feature", "importance"]
    return pd.DataFrame(rows, columns=columns)


def test_seeds_agree_and_folds_do_not() -> None:
    shuffled = table().sample(frac=1, random_state=0)
    seeds, folds = stabilities(shuffled)
    assert (seeds.name, seeds.passed) == ("seed_stability", True)
    assert (folds.name, folds.passed) == ("fold_stability", False)
    wide = table().pivot(index=["fold", "seed"], columns="feature", values="importance")
    by_hand = [stats.kendalltau(*wide.loc[fold].to_numpy()).statistic for fold in range(3)]
    assert seeds.value == pytest.approx(np.mean(by_hand), abs=1e-12)


def test_stability_needs_at_least_two_runs() -> None:
    assert [one.name for one in stabilities(table(seeds=1))] == ["fold_stability"]
    assert stabilities(table(1, 1)) == ()


def test_incomparable_runs_are_named() -> None:
    whole = table()
    with pytest.raises(ValueError, match="variant zscore: 5 units on 3 folds with 2"):
        stabilities(whole[~((whole["fold"] == 2) & (whole["seed"] == 1))])
    with pytest.raises(ValueError, match=r"their shape is \(1, 1, 4\)"):
        agreement(np.ones((1, 1, 4)))
