"""SAN: statistics of slices of the window, and a network that forecasts those of the next slice."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from foldproof.models.normalizers.variant import WindowNormalizer
from foldproof.models.normalizers.window import EPSILON, window_moments

SLICE = 5
"""Rows of a slice: a week."""
HIDDEN = 16
"""Units of each part of the networks that forecast statistics; the authors have 512."""


class SliceNetwork(nn.Module):
    """One number from the statistics of the slices and the rows of a window, for each feature.

    The same for every feature: statistics and rows each have a layer, then both share the output.
    """

    def __init__(self, slices: int, length: int) -> None:
        super().__init__()
        self.slices = nn.Linear(slices, HIDDEN)
        self.rows = nn.Linear(length, HIDDEN)
        self.output = nn.Linear(2 * HIDDEN, 1)

    def forward(self, statistics: Tensor, rows: Tensor) -> Tensor:
        """(B, n, F) statistics and (B, T, F) rows -> (B, F)."""
        read = (
            layer(functional.pad(each.transpose(1, 2), (layer.in_features - each.shape[1], 0)))
            for layer, each in ((self.slices, statistics), (self.rows, rows))
        )
        return self.output(torch.cat([*read], dim=-1).tanh()).squeeze(-1)


class SAN(WindowNormalizer):
    """Slice-level adaptive normalization (Liu et al., NeurIPS 2023).

    Each slice of the window is normalized by its own mean and sd. Two small networks forecast mean
    and sd of the next slice, by which the forecast is denormalized. They are trained first, on the
    statistics of the rows that follow each training window, and then kept fixed. These rows are an
    auxiliary target, which is purged: only windows whose next rows are in the training block count.

    The mean is forecast as a change of the window's mean, with learned weights for each feature, as
    in the authors' code (the paper has the weights, too); there as here the second stage leaves the
    networks alone. The code's network of the sd ends in a ReLU and may forecast 0; here both end
    smoothly (tanh, softplus), so that integrated gradients add up. The code takes sds over n - 1
    rows, here over n. It forecasts all features; the forecast uses those of one feature, ``index``,
    which is meant for a target that continues it. A first slice may be shorter than the others.
    """

    slice_length: ClassVar[int] = SLICE
    ahead = SLICE

    def __init__(self, n_features: int, index: int = 0, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.index = index
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(2, n_features))

    def set_length(self, length: int) -> None:
        """Make the networks for windows of ``length`` rows."""
        slices = len(self.sizes(length))
        self.mean, self.spread = (SliceNetwork(slices, length) for _ in range(2))

    def sizes(self, length: int) -> list[int]:
        """Rows of the slices of a window of ``length`` rows; the last one ends with the window."""
        whole, rest = divmod(length, self.slice_length)
        return [rest] * bool(rest) + [self.slice_length] * whole

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), mean and sd (B,) forecast for the next slice of ``index``."""
        parts = x.split(self.sizes(x.shape[1]), dim=1)
        moments = [window_moments(part, self.epsilon) for part in parts]
        apart = [(p - mean) / spread for p, (mean, spread) in zip(parts, moments, strict=True)]
        means, spreads = (torch.cat(each, dim=1) for each in zip(*moments, strict=True))
        level, spread = self.next_slice(x, means, spreads)
        return torch.cat(apart, dim=1), (level[:, self.index], spread[:, self.index])

    def next_slice(self, x: Tensor, means: Tensor, spreads: Tensor) -> tuple[Tensor, Tensor]:
        """Forecasts (B, F) of mean and sd of the next slice, from windows and their slices."""
        overall = x.mean(dim=1, keepdim=True)
        change = self.mean(means - overall, x - overall)
        level = self.weight[0] * change + self.weight[1] * overall.squeeze(1)
        return level, functional.softplus(self.spread(spreads, x))

    def inverse(self, forecast: Tensor, context: tuple[Tensor, ...]) -> Tensor:
        """(B,) normalized -> (B,) in units of the feature ``index``."""
        level, spread = context
        return forecast * (spread + self.epsilon) + level

    def ahead_loss(self, x: Tensor, later: Tensor) -> Tensor:
        """Mean squared error of the statistics that are forecast, over all features."""
        parts = x.split(self.sizes(x.shape[1]), dim=1)
        moments = [window_moments(part, self.epsilon) for part in parts]
        means, spreads = (torch.cat(each, dim=1) for each in zip(*moments, strict=True))
        known = (each.squeeze(1) for each in window_moments(later, self.epsilon))
        errors = zip(self.next_slice(x, means, spreads), known, strict=True)
        return torch.stack([(found - true).square().mean() for found, true in errors]).mean()


class UnpurgedSAN(SAN):
    """SAN on slices of two weeks whose auxiliary target is not purged: a leak on purpose.

    The networks that forecast statistics also learn from the validation block, whose last windows
    are followed by rows of the test block.
    """

    slice_length = 2 * SLICE
    ahead = 2 * SLICE
    purged = False
