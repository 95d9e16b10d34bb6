"""Losses of forecasts against targets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

LEAST_NAMES = 3
"""Dates with fewer symbols have no rank IC: the loss and all statistics skip them."""

VARIANCE_FLOOR = 1e-12
"""Below this the forecasts of a date count as constant, and their correlation as 0."""


@dataclass(frozen=True)
class Loss:
    """A loss of forecasts against targets.

    Attributes:
        name: Key in :data:`LOSSES`.
        description: One line for users.
        of: (forecast (B,), target (B,), dates (B,)) -> scalar.
    """

    name: str
    description: str
    of: Callable[[Tensor, Tensor, Tensor], Tensor]


def _mean_squared(forecast: Tensor, target: Tensor, dates: Tensor) -> Tensor:
    return mse_loss(forecast, target)


def _numbered(first: Tensor) -> Tensor:
    """Group numbers of N sorted items; ``first`` (N - 1,) is true where a new group begins."""
    return torch.cat([first.new_zeros(1, dtype=torch.int64), first.cumsum(0)])


def _means(values: Tensor, group: Tensor, groups: int) -> Tensor:
    """Mean of ``values`` (B,) within each group, (groups,)."""
    total = values.new_zeros(groups).index_add(0, group, values)
    return total / group.bincount(minlength=groups).clamp_min(1)


def _date_ranks(target: Tensor, group: Tensor) -> Tensor:
    """Centred rank of each target (B,) within its group (B,); ties get their mean rank."""
    order = target.argsort(stable=True)
    order = order[group[order].argsort(stable=True)]
    value, date = target[order], group[order]
    tie = _numbered((value[1:] != value[:-1]) | (date[1:] != date[:-1]))
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
        entry.name: entry
        for entry in (
            Loss("mse", "mean squared error", _mean_squared),
            Loss(
                "rank_correlation",
                "minus the correlation of forecasts with target ranks, mean over dates",
                _rank_correlation,
            ),
        )
    }
)
"""Every loss by its name."""
