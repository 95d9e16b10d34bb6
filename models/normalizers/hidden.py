"""Normalizers of the LSTM's last hidden state, before the head."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from foldproof.models.normalizers.variant import HiddenNormalizer

EPSILON = 1e-5
"""Added to every variance."""


def require_two(training: bool, samples: int) -> None:
    """Raise ValueError for a training batch of one sample, which has no variance."""
    if training and samples < 2:
        raise ValueError(
            "batch norm needs at least 2 samples in a training batch; it got 1: "
            "use shuffled or date_block batches, or a larger batch_size"
        )


class HiddenLayerNorm(HiddenNormalizer):
    """Layer norm over the units of one sample (Ba et al. 2016)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size, eps=EPSILON)

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H)."""
        return self.norm(hidden)


class HiddenRMSNorm(HiddenNormalizer):
    """h / rms(h) with a learned scale per unit (Zhang & Sennrich 2019): no mean is removed."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(size, eps=EPSILON)

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H)."""
        return self.norm(hidden)


class DynamicTanh(HiddenNormalizer):
    """a tanh(s h) + b with one learned s, 0.5 at first (Zhu et al. 2025).

    It has the shape of a normalization but no statistics, so it shows what the shape alone does.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.full((1,), 0.5))
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H)."""
        return torch.tanh(self.sharpness * hidden) * self.weight + self.bias


class HiddenBatchNorm(HiddenNormalizer):
    """Batch norm per unit over the samples of the batch; running statistics at scoring."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(size, eps=EPSILON)

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H).

        Raises:
            ValueError: A training batch of one sample.
        """
        require_two(self.training, len(hidden))
        return self.norm(hidden)


class PreciseBatchNorm(HiddenBatchNorm):
    """Batch norm scored with the training block's moments (Wu & Johnson 2021, PreciseBN).

    After each pass they are computed from all training samples with the weights of that moment,
    instead of an average over the last batches with older weights. Trap: to update them on the
    samples that are scored is a leak.
    """

    settles = True

    def settle(self, states: Iterable[Tensor]) -> None:
        """Mean and biased variance of the hidden states of all training samples."""
        count, total, squares = 0, torch.zeros(()).double(), torch.zeros(()).double()
        for hidden in states:
            wide = hidden.double()
            count += len(wide)
            total = total.to(wide.device) + wide.sum(dim=0)
            squares = squares.to(wide.device) + wide.square().sum(dim=0)
        mean = total / count
        variance = (squares / count - mean.square()).clamp_min(0)
        for buffer, found in ((self.norm.running_mean, mean), (self.norm.running_var, variance)):
            assert buffer is not None  # the norm tracks its statistics
            buffer.copy_(found)


class BatchRenorm(HiddenBatchNorm):
    """Batch renormalization (Ioffe 2017): training sees the running statistics too.

    x' r + d with x' of batch norm, r = sd_batch / sd_running and d = (mean_batch - mean_running) /
    sd_running, both without gradient and clipped: r to [1 / r_max, r_max], d to [-d_max, d_max].
    The bounds are 1 and 0, as in batch norm, for ``plain`` training steps, then rise to 3 and 5 at
    step ``full``. The paper's 5,000 and 40,000 steps are more than a fold's training has.
    """

    R_MAX, D_MAX = 3.0, 5.0

    def __init__(self, size: int, plain: int = 50, full: int = 200) -> None:
        super().__init__(size)
        self.plain = plain
        self.full = full

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H).

        Raises:
            ValueError: A training batch of one sample.
        """
        norm = self.norm
        if not self.training:
            return norm(hidden)
        require_two(self.training, len(hidden))
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        ramp = (norm.num_batches_tracked - self.plain) / (self.full - self.plain)
        ramp = ramp.clamp(0, 1).to(hidden.dtype)
        r_max, d_max = 1 + ramp * (self.R_MAX - 1), ramp * self.D_MAX
        with torch.no_grad():
            variance, mean = torch.var_mean(hidden, dim=0, correction=0)
            scale = (norm.running_var + EPSILON).rsqrt()
            r = ((variance + EPSILON).sqrt() * scale).clamp(1 / r_max, r_max)
            d = ((mean - norm.running_mean) * scale).clamp(-d_max, d_max)
        norm.num_batches_tracked += 1
        batch = functional.batch_norm(
            hidden, norm.running_mean, norm.running_var, training=True, eps=EPSILON
        )
        return (batch * r + d) * norm.weight + norm.bias


class GhostBatchNorm(HiddenBatchNorm):
    """Batch norm over pieces of ``ghost`` samples, in the order of the batch (Hoffer et al. 2017).

    Each piece updates the running statistics, which are used at scoring. A last piece of one
    sample joins the piece before it.
    """

    def __init__(self, size: int, ghost: int = 32) -> None:
        super().__init__(size)
        self.ghost = ghost

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H).

        Raises:
            ValueError: A training batch of one sample.
        """
        whole = len(hidden) // self.ghost
        if not self.training or not whole:
            return super().forward(hidden, dates)
        rest = len(hidden) - whole * self.ghost
        sizes = [self.ghost] * whole + [rest] * (rest > 1)
        sizes[-1] += rest == 1
        pieces = zip(hidden.split(sizes), dates.split(sizes), strict=True)
        return torch.cat([super(GhostBatchNorm, self).forward(*piece) for piece in pieces])


def date_means(values: Tensor, group: Tensor, groups: int) -> Tensor:
    """Mean of ``values`` (B, H) within each of ``groups`` dates; ``group`` (B,) numbers them."""
    totals = values.new_zeros(groups, values.shape[1]).index_add(0, group, values)
    return totals / group.bincount(minlength=groups).unsqueeze(1)


class DateBatchNorm(HiddenNormalizer):
    """Batch norm over the samples of the same date, both in training and at scoring.

    A learned cross-sectional z-score without running statistics, so training and scoring agree as
    long as whole dates are scored. Trap: a date with one sample becomes the bias.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H)."""
        present, group = dates.unique(return_inverse=True)
        apart = hidden - date_means(hidden, group, len(present))[group]
        variance = date_means(apart.square(), group, len(present))
        return apart * (variance + EPSILON).rsqrt()[group] * self.weight + self.bias


class CausalBatchNorm(HiddenNormalizer):
    """Batch norm with statistics of strictly earlier dates.

    The weight of a date's moments halves every ``half_life`` dates. Moments of earlier dates in
    the same batch stay in the graph. The buffers have the moments of earlier batches: they advance
    with each training batch, restart with each epoch, and are fixed at scoring. Before the first
    date the mean is 0 and the variance 1. Batches must come in time order.
    """

    def __init__(self, size: int, half_life: float = 21.0) -> None:
        super().__init__()
        self.decay = 0.5 ** (1 / half_life)
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.running_mean: Tensor
        self.running_variance: Tensor
        self.history: Tensor
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_variance", torch.ones(size))
        self.register_buffer("history", torch.zeros(()))

    def start_epoch(self) -> None:
        """Reset the buffers: the previous pass ended on later dates than this one begins."""
        self.running_mean = torch.zeros_like(self.running_mean)
        self.running_variance = torch.ones_like(self.running_variance)
        self.history = torch.zeros_like(self.history)

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H)."""
        mean, variance = self.running_mean, self.running_variance
        if self.training:
            mean, variance = self._before_each(hidden, dates)
        return (hidden - mean) * (variance + EPSILON).rsqrt() * self.weight + self.bias

    def _before_each(self, hidden: Tensor, dates: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (B, H) of the dates before each sample's date; advances the buffers."""
        present, group = dates.unique(return_inverse=True)  # in time order
        ages, carried = self._weights(len(present), hidden)
        total = ages.sum(dim=1, keepdim=True) + carried  # (K + 1, 1): before each date, and after
        known = total.clamp_min(torch.finfo(hidden.dtype).tiny)
        apart = hidden - self.running_mean  # shifted by a constant, against cancellation
        first = ages @ date_means(apart, group, len(present)) / known
        second = ages @ date_means(apart.square(), group, len(present)) / known
        second = second + carried * self.running_variance / known
        mean = self.running_mean + first
        variance = torch.where(total > 0, (second - first.square()).clamp_min(0), 1.0)
        self.running_mean, self.running_variance = mean[-1].detach(), variance[-1].detach()
        self.history = total[-1, 0].detach()
        return mean[group], variance[group]

    def _weights(self, count: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (K + 1, K) of the batch's earlier dates, and (K + 1, 1) of the buffers."""
        place = torch.arange(count + 1, dtype=like.dtype, device=like.device)
        age = place.unsqueeze(1) - place[:-1] - 1  # (K + 1, K), negative for dates not before
        ages = torch.where(age >= 0, (1 - self.decay) * self.decay ** age.clamp_min(0), 0.0)
        return ages, (self.decay**place * self.history).unsqueeze(1)
