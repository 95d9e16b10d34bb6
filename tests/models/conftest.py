from typing import NamedTuple

import pytest
import torch
from torch import Tensor


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


class Small(NamedTuple):
    """A small panel with gaps, ties, offsets and a changing universe."""

    values: Tensor
    member: Tensor
    target: Tensor


@pytest.fixture(scope="session")
def small() -> Small:
    generator = torch.Generator().manual_seed(7)
    dates, symbols = 400, 9
    values = torch.randn(dates, symbols, 4, generator=generator)
    values[..., 1] = values[..., 1].cumsum(0) + 100  # a price
    values[..., 2] = (values[..., 2] * 2).round()  # ties
    values[..., 3] *= 1e-3
    target = 0.4 * values[..., 0] + torch.randn(dates, symbols, generator=generator)
    values[torch.rand(values.shape, generator=generator) < 0.01] = torch.nan
    values[:50, 3] = torch.nan  # a late listing
    member = torch.rand(dates, symbols, generator=generator) < 0.95
    return Small(values, member, target)
