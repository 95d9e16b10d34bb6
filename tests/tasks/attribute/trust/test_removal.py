from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from foldproof.tasks.attribute.trust.faithfulness import (
    Removal,
    losses,
    orders,
    steps,
    thinned_dates,
)
from foldproof.tasks.statistics.rank_ic import rank_ics

DATES = np.repeat(np.arange(6), 20)


def removal(weight: list[float], seed: int = 0) -> Removal:
    generator = torch.Generator().manual_seed(seed)
    inputs, filler = torch.randn(2, 120, 3, len(weight), generator=generator, dtype=torch.float64)

    def linear(points: Tensor, rows: Tensor) -> Tensor:
        return (points.sum(1) * torch.tensor(weight, dtype=torch.float64)).sum(1)

    return Removal(linear, inputs, filler, DATES)


@pytest.mark.parametrize("features", [2, 3, 5, 6, 9, 14, 40])
@pytest.mark.parametrize("most", [2, 4, 6])
def test_steps_are_the_same_from_both_ends(features: int, most: int) -> None:
    counts = steps(features, most)
    assert tuple(sorted(features - count for count in counts)) == counts
    assert len(counts) <= most
    assert all(1 <= count < features for count in counts)
    assert all(first < second for first, second in pairwise(counts))


def test_all_orders_of_a_few_features_and_random_ones_of_many() -> None:
    generator = np.random.default_rng(0)
    few = orders(4, 39, generator)
    assert len({tuple(order) for order in few}) == len(few) == 24
    many = orders(9, 39, generator)
    assert many.shape == (39, 9)
    assert (np.sort(many, axis=1) == np.arange(9)).all()


def test_removed_features_come_from_the_filler() -> None:
    where = removal([1.0, 2.0, 4.0])
    gone = np.array([[False, True, False], [True, True, True]])
    mixed = where.inputs.clone()
    mixed[..., 1] = where.filler[..., 1]
    rows = torch.arange(120)
    expected = torch.stack([where.forward(mixed, rows), where.forward(where.filler, rows)])
    np.testing.assert_allclose(where.forecasts(gone), expected, rtol=1e-12)


def test_losses_equal_one_removal_at_a_time() -> None:
    where = removal([3.0, 1.0, 0.0, -2.0])
    target = np.random.default_rng(1).standard_normal(120)
    whole = where.forecasts(np.zeros((1, 4), dtype=bool))[0]
    order, counts = np.array([[3, 0, 2, 1], [2, 1, 0, 3]]), (1, 3)
    found = losses(where, [whole, target], order, counts)
    assert found.shape == (2, 2, 6)
    for r, m in np.ndindex(2, 2):
        reference = (whole, target)[r]
        by_count = []
        for count in counts:
            gone = np.isin(np.arange(4), order[m, :count])[None]
            lost = rank_ics(whole[None], reference, DATES) - rank_ics(
                where.forecasts(gone), reference, DATES
            )
            by_count.append(lost[0])
        np.testing.assert_allclose(found[r, m], np.mean(by_count, axis=0), atol=1e-12)


def test_a_feature_without_weight_loses_nothing() -> None:
    where = removal([3.0, 0.0])
    whole = where.forecasts(np.zeros((1, 2), dtype=bool))[0]
    found = losses(where, [whole], np.array([[1, 0], [0, 1]]), (1,))[0]
    assert (found[0] == 0).all()
    assert found[1].mean() > 0.5


def test_thin_cross_sections_of_spread_dates() -> None:
    days, symbols = 50, 30
    available = torch.arange(days * symbols).view(symbols, days)[:, 10:].flatten()
    chosen = thinned_dates(available, days, 8, 64, torch.Generator().manual_seed(0))
    assert len(chosen.unique()) == len(chosen) == 64
    date, count = (chosen % days).unique(return_counts=True)
    assert (count == 8).all()
    assert date.tolist() == [12, 17, 22, 27, 32, 37, 42, 47]
    assert len((chosen // days).unique()) > 20  # another choice of symbols on each date
    whole = thinned_dates(available, days, 8, 600, torch.Generator().manual_seed(0))
    assert (whole % days).unique(return_counts=True)[1].tolist() == [30] * 20
    few = thinned_dates(available, days, 8, 8, torch.Generator().manual_seed(0))
    assert (few % days).unique(return_counts=True)[1].tolist() == [3] * 8


def test_one_feature_cannot_be_ranked() -> None:
    with pytest.raises(ValueError, match="there are 1 and 4"):
        steps(1, 4)
