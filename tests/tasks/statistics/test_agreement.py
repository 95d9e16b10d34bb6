"""Kendall's tau-b by hand, against scipy, and on what it cannot rank."""

import math

import pytest
import torch
from scipy.stats import kendalltau

from foldproof.tasks.statistics.agreement import agreements, rank_agreement


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [
        (numbers(1, 2, 3), numbers(10, 20, 21), 1),
        (numbers(1, 2, 3), numbers(3, 2, 1), -1),
        (numbers(1, 2, 3), numbers(1, 3, 2), 1 / 3),
        (numbers(1, 1, 2), numbers(1, 2, 3), 2 / math.sqrt(6)),
    ],
)
def test_by_hand(first: torch.Tensor, second: torch.Tensor, tau: float) -> None:
    assert rank_agreement(first, second) == pytest.approx(tau)
    assert rank_agreement(second, first) == pytest.approx(tau)


@pytest.mark.parametrize("levels", [3, 1000])
def test_as_scipy_with_ties_and_without(levels: int) -> None:
    generator = torch.Generator().manual_seed(9)
    for _ in range(20):
        first, second = torch.randint(levels, (2, 12), generator=generator).double()
        second = second + first.floor() / 2
        expected = kendalltau(first.numpy(), second.numpy()).statistic
        assert rank_agreement(first, second) == pytest.approx(expected, abs=1e-12)


def test_without_an_order_there_is_none() -> None:
    assert math.isnan(rank_agreement(numbers(1, 1, 1), numbers(1, 2, 3)))
    assert math.isnan(rank_agreement(numbers(1), numbers(2)))


def test_each_pair_by_name() -> None:
    found = agreements({"a": numbers(1, 2, 3), "b": numbers(1, 2, 3), "c": numbers(3, 2, 1)})
    assert found == {("a", "b"): 1, ("a", "c"): -1, ("b", "c"): -1}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (numbers(1, 2), r"shapes are \(3,\) and \(2,\)"),
        (numbers(1, math.nan, 2), "must be finite"),
    ],
)
def test_what_cannot_be_ranked_is_named(second: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rank_agreement(numbers(1, 2, 3), second)
