"""Means over random draws."""

import torch
from torch import Tensor


def standard_error(each: Tensor) -> Tensor:
    """Standard error of the mean over dimension 1; NaN for a single draw, which tells none."""
    if each.shape[1] == 1:
        return torch.full_like(each[:, 0], torch.nan)
    if not len(each):
        return each.sum(1)
    return each.std(1) / each.shape[1] ** 0.5
