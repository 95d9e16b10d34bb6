from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from foldproof.models.losses import LOSSES
from foldproof.models.spec import TrainingSpec

RANK = LOSSES["rank_correlation"]


def test_the_choices_of_the_spec_are_the_mapping():
    assert set(get_args(get_type_hints(TrainingSpec)["loss"])) == set(LOSSES)


def test_mse_by_hand():
    value = LOSSES["mse"](torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0]), torch.zeros(2))
    assert value == 2.5


@pytest.mark.parametrize("ties", [False, True])
def test_rank_correlation_equals_scipy_date_by_date(ties):
    generator = torch.Generator().manual_seed(int(ties))
    dates = torch.randint(0, 9, (80,), generator=generator) * 5
    forecast = torch.randn(80, dtype=torch.float64, generator=generator)
    target = torch.randn(80, dtype=torch.float64, generator=generator)
    if ties:
        target = target.round()
    dates[:2], dates[dates == 40] = 1000, 35  # a date of two samples is skipped
    each = [
        np.corrcoef(forecast[dates == d], rankdata(target[dates == d]))[0, 1]
        for d in dates.unique()
        if d != 1000
    ]
    torch.testing.assert_close(
        RANK(forecast, target, dates), torch.tensor(-np.mean(each)), rtol=1e-12, atol=1e-12
    )


def test_rank_correlation_is_minus_one_for_ranks_themselves():
    target = torch.tensor([0.3, -2.0, 9.0, 1.0])
    ranks = torch.tensor([2.0, 1.0, 4.0, 3.0])
    assert RANK(ranks, target, torch.zeros(4)).item() == pytest.approx(-1, abs=1e-6)
    assert RANK(-ranks, target, torch.zeros(4)).item() == pytest.approx(1, abs=1e-6)


def test_rank_correlation_gradient():
    forecast = torch.randn(10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    target, dates = torch.arange(10.0).double() ** 2, torch.arange(10) // 5
    assert torch.autograd.gradcheck(lambda f: RANK(f, target, dates), forecast.requires_grad_())


@pytest.mark.parametrize(
    ("forecast", "dates"),
    [([1.0, 1.0, 1.0, 1.0], [0, 0, 0, 0]), ([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1])],
    ids=["constant forecasts", "small dates only"],
)
def test_no_correlation_is_zero_with_a_finite_gradient(forecast, dates):
    forecast = torch.tensor(forecast, requires_grad=True)
    value = RANK(forecast, torch.tensor([3.0, 1.0, 2.0, 5.0]), torch.tensor(dates))
    value.backward()
    assert value == 0
    assert forecast.grad.isfinite().all()
