"""Kendall's tau and Spearman's rho by hand, against scipy, and where they are undefined."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau, spearmanr

from foldproof.tasks.statistics.agreement import (
    agreements,
    mean_pairwise_tau,
    rank_agreement,
    spearman,
)


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [
        ([1, 2, 3], [10, 20, 21], 1),
        ([1, 2, 3], [3, 2, 1], -1),
        ([1, 2, 3], [1, 3, 2], 1 / 3),
        ([1, 1, 2], [1, 2, 3], 2 / math.sqrt(6)),
    ],
)
def test_kendall_by_hand(first: list[float], second: list[float], tau: float) -> None:
    assert rank_agreement(first, second) == pytest.approx(tau)
    assert rank_agreement(torch.tensor(second), torch.tensor(first)) == pytest.approx(tau)


@pytest.mark.parametrize("levels", [3, 1000])
def test_both_agree_with_scipy_with_ties_and_without(levels: int) -> None:
    generator = torch.Generator().manual_seed(9)
    for _ in range(20):
        first, second = torch.randint(levels, (2, 12), generator=generator).double()
        second = second + first.floor() / 2
        tau, rho = (of(first.numpy(), second.numpy()).statistic for of in (kendalltau, spearmanr))
        assert rank_agreement(first, second) == pytest.approx(tau, abs=1e-12)
        assert spearman(first, second) == pytest.approx(rho, abs=1e-12)


@pytest.mark.parametrize("measure", [rank_agreement, spearman])
def test_without_an_order_it_is_nan(measure) -> None:
    assert math.isnan(measure([1, 1, 1], [1, 2, 3]))
    assert math.isnan(measure([1], [2]))


def test_agreements_are_keyed_by_the_pair_of_names() -> None:
    found = agreements({"a": [1, 2, 3], "b": [1, 2, 3], "c": torch.tensor([3, 2, 1])})
    assert found == {("a", "b"): 1, ("a", "c"): -1, ("b", "c"): -1}


@pytest.mark.parametrize("measure", [rank_agreement, spearman])
@pytest.mark.parametrize(
    ("second", "message"),
    [
        ([1, 2], r"shapes are \(3,\) and \(2,\)"),
        ([1, math.nan, 2], "must be finite"),
    ],
)
def test_importances_that_cannot_be_ranked_are_an_error(measure, second, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure([1, 2, 3], second)


def test_the_mean_over_pairs_equals_the_loop_over_pairs() -> None:
    generator = np.random.default_rng(1)
    runs = generator.standard_normal((5, 7)).round(1)
    pairs = [kendalltau(x, y).statistic for x, y in combinations(runs, 2)]
    assert mean_pairwise_tau(runs) == pytest.approx(np.mean(pairs), abs=1e-12)
    several = generator.standard_normal((2, 3, 4, 6))
    one = mean_pairwise_tau(several[1, 2])
    assert mean_pairwise_tau(several).shape == (2, 3)
    assert mean_pairwise_tau(several)[1, 2] == pytest.approx(one, abs=1e-12)
