"""Argument checks and small parts that the attribution methods share."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from foldproof.tasks.attribute.methods.integrated import broadcast
from foldproof.tasks.attribute.network.gradients import check_inputs

Groups = tuple[tuple[int, ...], ...]
"""Numbers of the features that move together; each feature is in at most one group."""


def row_blocks(inputs: Tensor, size: int) -> Iterator[Tensor]:
    """Sample numbers in blocks of ``size``, at least one a block; no block without samples."""
    for rows in torch.arange(len(inputs), device=inputs.device).split(max(1, size)):
        if len(rows):
            yield rows


def check_counts(**counts: int) -> None:
    """Raise ValueError unless each named count is at least 1."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1; it is {count}")


def check_windows(inputs: Tensor) -> None:
    """Raise ValueError unless ``inputs`` are finite windows (B, T, F) with at least one cell."""
    if inputs.dim() != 3 or not inputs.shape[1] or not inputs.shape[2]:
        raise ValueError(
            f"inputs must be windows (B, T, F) with T and F at least 1; their shape is "
            f"{tuple(inputs.shape)}"
        )
    check_inputs("inputs", inputs)


def filling(baseline: Tensor | float, inputs: Tensor) -> Tensor:
    """The checked baseline in the shape of the checked windows.

    Raises:
        ValueError: Inputs are not windows, one of both is not finite, or they do not fit.
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
            + (f"; in several groups: {twice}" if twice else "")
            + (f"; there is no {outside}" if outside else "")
        )


def check_per_sample(samples: int, **shapes: tuple[int, ...]) -> None:
    """Raise ValueError unless each named shape is (B,) for ``samples`` B."""
    for name, shape in shapes.items():
        if shape != (samples,):
            raise ValueError(
                f"{name} must have one entry for each of the {samples} samples, shape "
                f"({samples},); their shape is {shape}"
            )


def date_array(dates: ArrayLike | Tensor) -> np.ndarray:
    """Dates as a NumPy array."""
    return dates.cpu().numpy() if isinstance(dates, Tensor) else np.asarray(dates)


def alone(features: int) -> Groups:
    """One group for each feature."""
    return tuple((feature,) for feature in range(features))


def standard_error(each: Tensor) -> Tensor:
    """Standard error of the mean over dimension 1; NaN for a single draw."""
    if each.shape[1] == 1:
        return torch.full_like(each[:, 0], torch.nan)
    if not len(each):
        return each.sum(1)
    return each.std(1) / each.shape[1] ** 0.5
