"""Checks that several attribution methods share: windows, counts, groups of features."""

from collections.abc import Iterator

import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.integrated import broadcast
from foldproof.tasks.attribute.network.gradients import check_inputs

Groups = tuple[tuple[int, ...], ...]
"""Feature numbers that are moved together, every feature in at most one group."""


def row_blocks(inputs: Tensor, size: int) -> Iterator[Tensor]:
    """The samples' numbers, ``size`` at a time and one at least; none without samples."""
    for rows in torch.arange(len(inputs), device=inputs.device).split(max(1, size)):
        if len(rows):
            yield rows


def check_counts(**counts: int) -> None:
    """Raise ValueError unless every one of the named counts is at least 1."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1; it is {count}")


def check_windows(inputs: Tensor) -> None:
    """Raise ValueError unless ``inputs`` are finite windows (B, T, F) with a cell at least."""
    if inputs.dim() != 3 or not inputs.shape[1] or not inputs.shape[2]:
        raise ValueError(
            f"inputs must be windows (B, T, F) with T and F at least 1; their shape is "
            f"{tuple(inputs.shape)}"
        )
    check_inputs("inputs", inputs)


def filling(baseline: Tensor | float, inputs: Tensor) -> Tensor:
    """The baseline in the shape of the checked windows, itself checked.

    Raises:
        ValueError: Inputs are no windows, or either is not finite, or they do not fit.
    """
    check_windows(inputs)
    start = broadcast(baseline, inputs)
    check_inputs("baseline", start)
    return start


def check_groups(groups: Groups, features: int) -> None:
    """Raise ValueError unless groups are disjoint, not empty, and name features by number."""
    members = [feature for group in groups for feature in group]
    outside = [feature for feature in members if not 0 <= feature < features]
    twice = sorted({feature for feature in members if members.count(feature) > 1})
    if not groups or not all(groups) or outside or twice:
        raise ValueError(
            f"groups must be disjoint, non-empty tuples of feature numbers in [0, {features}); "
            f"they are {groups}"
            + (f"; in several places: {twice}" if twice else "")
            + (f"; there is no {outside}" if outside else "")
        )


def alone(features: int) -> Groups:
    """Every feature a group of its own."""
    return tuple((feature,) for feature in range(features))


def standard_error(each: Tensor) -> Tensor:
    """Standard error of the mean over dimension 1; NaN for a single draw, which tells none."""
    if each.shape[1] == 1:
        return torch.full_like(each[:, 0], torch.nan)
    if not len(each):
        return each.sum(1)
    return each.std(1) / each.shape[1] ** 0.5
