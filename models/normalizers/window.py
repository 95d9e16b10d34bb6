"""Window normalizers: statistics of the window, or of the batch's windows, inside the graph."""

import torch
from torch import Tensor, nn

from foldproof.models.normalizers.scaling import MAD_TO_SD, median
from foldproof.models.normalizers.variant import WindowNormalizer

EPSILON = 1e-5
"""Added to every variance; features should have about unit scale."""


def window_moments(x: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Mean and sqrt(variance + epsilon) over the steps of (B, T, F), each (B, 1, F).

    From the window's first step on, so that a constant has variance 0 and a large level costs no
    digits. torch.var_mean is 10 times slower over this dimension.
    """
    first = x[:, :1]
    apart = x - first
    mean = apart.mean(dim=1, keepdim=True)
    variance = (apart - mean).square().mean(dim=1, keepdim=True)
    return first + mean, (variance + epsilon).sqrt()


class InstanceNorm(WindowNormalizer):
    """(x - mean) / sd over the steps of the window (Ulyanov et al. 2016). It removes the level."""

    def __init__(self, n_features: int, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), empty context."""
        mean, spread = window_moments(x, self.epsilon)
        return (x - mean) / spread, ()


class RobustInstanceNorm(InstanceNorm):
    """(x - median) / (1.4826 MAD) over the steps of the window.

    One outlier in the window moves neither. As in :class:`InstanceNorm`, epsilon is added to the
    squared spread.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), empty context."""
        apart = x - median(x, dim=1)
        mad = MAD_TO_SD * median(apart.abs(), dim=1)
        return apart / (mad.square() + self.epsilon).sqrt(), ()


class PriceRelative(WindowNormalizer):
    """a (x / x_last - 1) + b: each step as a return up to the window's last step (qlib Alpha360).

    For features that are prices or other positive levels. A window whose last value is 0 becomes
    the bias. The learned ``a`` begins as 10, because prices of a few weeks are within a few
    percent of the last.
    """

    def __init__(self, n_features: int, gain: float = 10.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((n_features,), gain))
        self.bias = nn.Parameter(torch.zeros(n_features))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), empty context."""
        last = x[:, -1:]
        known = last != 0
        change = torch.where(known, (x - last) / torch.where(known, last, 1.0), 0.0)
        return change * self.weight + self.bias, ()


class RevIN(WindowNormalizer):
    """Instance norm with a learned affine map, undone on the forecast (Kim et al., ICLR 2022).

    The forecast is denormalized with the window's statistics of one feature, ``index``, which is
    meant for a target that continues this feature. A comparison leaves that out for cross-sectional
    targets (``NetworkSpec.denormalize``): their forecasts would begin with the level of the
    feature, which the target lacks.

    Trap: the authors' code detaches mean and sd. Values stay the same, but attributions are wrong;
    here the gradient passes through them.
    """

    def __init__(self, n_features: int, index: int = 0, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.index = index
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(n_features))
        self.bias = nn.Parameter(torch.zeros(n_features))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), mean and sd (B,) of the feature ``index``."""
        mean, spread = window_moments(x, self.epsilon)
        context = (mean[:, 0, self.index], spread[:, 0, self.index])
        return (x - mean) / spread * self.weight + self.bias, context

    def inverse(self, forecast: Tensor, context: tuple[Tensor, ...]) -> Tensor:
        """(B,) normalized -> (B,) in units of the feature ``index``."""
        mean, spread = context
        weight = self.weight[self.index] + self.epsilon**2
        return (forecast - self.bias[self.index]) / weight * spread + mean


class FeatureBatchNorm(WindowNormalizer):
    """Batch norm per feature over batch and time (Ioffe & Szegedy 2015).

    At scoring it uses running statistics.
    """

    def __init__(self, n_features: int, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(n_features, eps=epsilon)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), empty context."""
        return self.norm(x.flatten(0, 1)).unflatten(0, x.shape[:2]), ()
