"""Losses of forecasts against targets."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

LEAST_NAMES = 3
"""Dates with fewer symbols have no rank IC: the loss and all statistics skip them."""

VARIANCE_FLOOR = 1e-12
"""Below this the forecasts of a date count as constant, and their correlation as 0."""


Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(forecast (B,), target (B,), dates (B,)) -> scalar."""


def _means(values: Tensor, group: Tensor, groups: int) -> Tensor:
    """Mean of ``values`` (B,) within each group, (groups,)."""
    total = values.new_zeros(groups).index_add(0, group, values)
    return total / group.bincount(minlength=groups).clamp_min(1)


def _date_ranks(target: Tensor, group: Tensor) -> Tensor:
    """Centred rank of each target (B,) within its group (B,); ties get their mean rank."""
    order = target.argsort(stable=True)
    order = order[group[order].argsort(stable=True)]
    value, date = target[order], group[order]
    changes = (value[1:] != value[:-1]) | (date[1:] != date[:-1])
    tie = torch.cat([changes.new_zeros(1, dtype=torch.int64), changes.cumsum(0)])
    place = torch.arange(len(target), device=target.device, dtype=target.dtype)
    sorted_ranks = _means(place, tie, len(target))[tie]
    ranks = torch.empty_like(sorted_ranks).scatter(0, order, sorted_ranks)
    return ranks - _means(ranks, group, len(target))[group]


def _rank_correlation(forecast: Tensor, target: Tensor, dates: Tensor) -> Tensor:
    """Minus the mean over dates of the correlation of forecasts with target ranks.

    The forecasts enter as they are, not as ranks, so that the loss has a gradient.
    """
    present, group, counts = dates.unique(return_inverse=True, return_counts=True)
    groups = len(present)
    ranks = _date_ranks(target, group)
    centred = forecast - _means(forecast, group, groups)[group]
    covariance = _means(centred * ranks, group, groups)
    variance = _means(centred.square(), group, groups).clamp_min(VARIANCE_FLOOR)
    rank_variance = _means(ranks.square(), group, groups).clamp_min(VARIANCE_FLOOR)
    correlation = covariance / (variance * rank_variance).sqrt()
    counted = counts >= LEAST_NAMES
    return -(correlation * counted).sum() / counted.sum().clamp_min(1)


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "mse": lambda forecast, target, _: mse_loss(forecast, target),
        "rank_correlation": _rank_correlation,
    }
)
"""Every loss by its name."""
