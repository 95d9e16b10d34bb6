"""Argument checks and small parts that the attribution methods share."""

from collections.abc import Iterator
from numbers import Integral

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from foldproof.tasks.attribute.network.gradients import check_inputs

Groups = tuple[tuple[int, ...], ...]
"""Numbers of the features that move together; each feature is in at most one group."""


def row_blocks(inputs: Tensor, size: int) -> Iterator[Tensor]:
    """Sample numbers in blocks of ``size``, at least one per block; no block without samples."""
    for rows in torch.arange(len(inputs), device=inputs.device).split(int(max(1, size))):
        if len(rows):
            yield rows


def check_counts(**counts: int) -> None:
    """Raise ValueError unless each named count is a whole number of at least 1."""
    for name, count in counts.items():
        if not isinstance(count, Integral):
            raise ValueError(f"{name} must be a whole number; it is {count!r}")
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


def starting(baseline: Tensor | float, inputs: Tensor) -> Tensor:
    """The checked baseline in the shape of the checked inputs, without a copy."""
    check_inputs("inputs", inputs)
    if inputs.dim() < 1:
        raise ValueError(
            "inputs need a sample dimension first, shape (B, ...); got a single number"
        )
    start = torch.as_tensor(baseline, dtype=inputs.dtype, device=inputs.device)
    start = broadcast("baseline", start, inputs)
    check_inputs("baseline", start)
    return start


def filling(baseline: Tensor | float, inputs: Tensor) -> Tensor:
    """The checked baseline in the shape of the checked windows (B, T, F)."""
    check_windows(inputs)
    return starting(baseline, inputs)


def scale_of(scale: Tensor | None, inputs: Tensor) -> Tensor:
    """The checked scale in the shape of ``inputs``; ones where none is given."""
    unit = torch.ones((), dtype=inputs.dtype) if scale is None else torch.as_tensor(scale)
    check_inputs("scale", unit)
    return broadcast("scale", unit, inputs)


def broadcast(name: str, values: Tensor, inputs: Tensor) -> Tensor:
    """Values in the shape and type and on the device of ``inputs``."""
    try:
        return values.to(inputs).broadcast_to(inputs.shape).detach()
    except RuntimeError:
        raise ValueError(
            f"{name} of shape {tuple(values.shape)} cannot be broadcast to inputs of shape "
            f"{tuple(inputs.shape)}: give one value per feature, ({inputs.shape[-1]},), or per cell"
        ) from None


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
