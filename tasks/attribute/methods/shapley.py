"""Shapley values of feature groups: exact for few groups, by sampled orders for many."""

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import torch
from torch import Generator, Tensor

from foldproof.tasks.attribute.methods.checks import (
    Groups,
    check_counts,
    check_groups,
    filling,
    row_blocks,
    standard_error,
)
from foldproof.tasks.attribute.methods.occlusion import group_masks, mixed
from foldproof.tasks.attribute.network.gradients import CHUNK, Forward, ForwardOf, by_sample

EXACT_UP_TO = 8
"""Up to this number of groups all 2^G coalitions are scored."""
PAIRS = 16
"""Sampled orders for more groups, each with its reverse."""


@dataclass(frozen=True, eq=False)
class Shapley:
    """Shapley values of each sample's feature groups.

    Attributes:
        values: (B, G) in the forecast's unit; those of a sample add up to f(x) - f(x with every
            group from the baseline).
        error: (B, G) standard error; 0 where the values are exact, NaN for a single pair of orders.
    """

    values: Tensor
    error: Tensor


def shapley_values(
    forward: Forward,
    inputs: Tensor,
    baseline: Tensor | float,
    groups: Groups,
    *,
    generator: Generator,
    pairs: int = PAIRS,
    chunk: int = CHUNK,
    rows: Tensor | None = None,
) -> Shapley:
    """The change that each group of features makes when it is added, averaged over all orders.

    The players are the groups, each at all lags at once. The value of a coalition is the forecast
    of the window with the other groups taken from the baseline (Strumbelj & Kononenko 2010, JMLR
    11:1). Up to 8 groups the values are exact, from all coalitions. Above that they are means over
    random orders, each with its reverse (Mitchell et al. 2022, JMLR 23:43). Such a pair counts as
    one draw, and is exact where no more than two groups interact.

    .. warning::

        Most coalitions are windows that were never observed. Cost grows with pairs times groups.

    Args:
        forward: (B, T, F) -> (B,). An nn.Module is put in eval mode for the call.
        inputs: (B, T, F), any floating-point type; everything is computed in it.
        baseline: x', broadcastable to ``inputs``.
        groups: G groups of feature numbers; a feature in no group stays as observed.
        generator: Draws the orders, independently for every sample; unused where exact.
        pairs: Orders drawn, each used forwards and backwards.
        chunk: Points per forward pass.
        rows: (B,) sample numbers that ``forward`` takes as a second argument; None if it does not.

    Raises:
        ValueError: As :func:`~foldproof.tasks.attribute.occlusion`; groups overlap, are empty or
            name no feature; pairs is below 1.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0, 2.0, 4.0]]])
        >>> f = lambda x: x[:, 0, 0] * x[:, 0, 1] + x[:, 0, 2]
        >>> g = torch.Generator()
        >>> shapley_values(f, x, 0.0, ((0,), (1,), (2,)), generator=g).values.tolist()
        [[1.0, 1.0, 4.0]]
    """
    with by_sample(forward, inputs, rows) as of_sample:
        check_counts(pairs=pairs, chunk=chunk)
        fill = filling(baseline, inputs)
        check_groups(groups, inputs.shape[2])
        members = group_masks(1, inputs.shape[2], groups).squeeze(1).to(inputs.device)  # (G, F)

        def value(absent: Tensor) -> Tensor:
            return without(of_sample, inputs, fill, members, absent.to(inputs.device), chunk)

        if len(groups) <= EXACT_UP_TO:
            values = from_coalitions(value, len(inputs), len(groups))
            return Shapley(values.to(inputs), inputs.new_zeros(values.shape))
        shape = (len(inputs), pairs, len(groups))
        orders = torch.rand(shape, generator=generator, dtype=torch.float64).argsort(-1)
        return from_orders(value, orders.to(inputs.device))


def from_coalitions(value: Callable[[Tensor], Tensor], samples: int, groups: int) -> Tensor:
    """(B, G) Shapley values from the values of all 2^G coalitions.

    Args:
        value: (B, M, G) bool, which groups are absent -> (B, M).
        samples: B.
        groups: G.
    """
    number = torch.arange(2**groups)
    present = (number.unsqueeze(1) >> torch.arange(groups)) % 2 == 1  # (2^G, G)
    share = torch.tensor(
        [factorial(s) * factorial(groups - s - 1) / factorial(groups) for s in range(groups)],
        dtype=torch.float64,
    )
    scores = value(~present.expand(samples, -1, -1)).double()
    values = []
    for group in range(groups):
        rest = number[~present[:, group]]  # coalitions that the group can join
        added = scores[:, rest + 2**group] - scores[:, rest]
        values.append(added @ share[present[rest].sum(1)].to(scores.device))
    return torch.stack(values, 1)


def from_orders(value: Callable[[Tensor], Tensor], orders: Tensor) -> Shapley:
    """Shapley values as means over orders (B, P, G) of the groups, each with its reverse."""
    both = torch.stack([orders, orders.flip(-1)], 2)  # (B, P, 2, G)
    place = both.argsort(-1)
    groups = orders.shape[-1]
    entered = torch.arange(groups + 1, device=orders.device).view(-1, 1)
    absent = place.unsqueeze(-2) >= entered  # (B, P, 2, G + 1, G)
    scores = value(absent.flatten(1, 3)).view(absent.shape[:-1])
    added = scores.diff(dim=-1).gather(-1, place).mean(2)  # (B, P, G)
    return Shapley(added.mean(1), standard_error(added))


def without(
    forward: ForwardOf, inputs: Tensor, fill: Tensor, members: Tensor, absent: Tensor, chunk: int
) -> Tensor:
    """(B, M) forecasts with the features of the absent groups (B, M, G) from the fill."""
    scores = inputs.new_zeros(absent.shape[:2])
    for rows in row_blocks(inputs, chunk // absent.shape[1]):
        for some in torch.arange(absent.shape[1], device=inputs.device).split(int(chunk)):
            gone = absent[rows][:, some].to(inputs) @ members.to(inputs) > 0  # (rows, M, F)
            scores[rows.unsqueeze(1), some] = mixed(forward, inputs, fill, rows, gone.unsqueeze(2))
    return scores
