"""Window normalizers that learn how to normalize, as layers of the network before the LSTM."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from foldproof.models.normalizers.variant import WindowNormalizer
from foldproof.models.normalizers.window import EPSILON, RevIN, window_moments


class DAIN(WindowNormalizer):
    """Deep adaptive input normalization: shift, scale and gate (Passalis et al. 2019).

    The three steps are linear in the window's means, sds and rescaled means of all features. Shift
    and scale begin as those of instance norm. A learned scale that is not positive becomes 1, as in
    the authors' code.

    Trap: the authors train the three steps with separate learning rates, smaller for shift and
    scale; here all parameters have the same.
    """

    def __init__(self, n_features: int, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.shift = nn.Parameter(torch.eye(n_features))
        self.scale = nn.Parameter(torch.eye(n_features))
        self.gate = nn.Linear(n_features, n_features)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), empty context."""
        apart = x - x.mean(dim=1, keepdim=True) @ self.shift.T
        spread = (apart.square().mean(dim=1, keepdim=True) + self.epsilon).sqrt() @ self.scale.T
        resized = apart / torch.where(spread > self.epsilon, spread, 1.0)
        return resized * self.gate(resized.mean(dim=1, keepdim=True)).sigmoid(), ()


class BIN(WindowNormalizer):
    """Bilinear input normalization: z-scores over time and over features (Tran et al. 2021).

    Each has a learned affine map: that over time for each feature, that over features for each
    step. Their weights in the sum begin as 0.5 and stay positive. A cropped window gets the maps of
    the newest steps.
    """

    def __init__(self, n_features: int, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.time_weight = nn.Parameter(torch.ones(n_features))
        self.time_bias = nn.Parameter(torch.zeros(n_features))
        self.log_mix = nn.Parameter(torch.full((2,), 0.5).log())

    def set_length(self, length: int) -> None:
        """Make the affine map of each step."""
        self.feature_weight = nn.Parameter(torch.ones(length, 1))
        self.feature_bias = nn.Parameter(torch.zeros(length, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), empty context."""
        mean, spread = window_moments(x, self.epsilon)
        over_time = (x - mean) / spread * self.time_weight + self.time_bias
        variance, mean = torch.var_mean(x, dim=2, correction=0, keepdim=True)
        over_features = (x - mean) / (variance + self.epsilon).sqrt()
        weight, bias = (each[-x.shape[1] :] for each in (self.feature_weight, self.feature_bias))
        over_features = over_features * weight + bias
        time_share, feature_share = self.log_mix.exp()
        return time_share * over_time + feature_share * over_features, ()


class STNorm(WindowNormalizer):
    """Spatial and temporal normalization (Deng et al., KDD 2021), each with a learned affine map.

    It gets features that are normalized across the members of each date: the spatial part. The
    temporal part normalizes these over the steps of the window. The two are added, with learned
    weights that begin as 0.5.

    The authors concatenate raw values and both parts as channels before every convolution; here
    each feature has one channel, a weighted sum. Their temporal part has statistics and an affine
    map of its own for each series, over all batches (in their code by default) or the window; here
    those of the window, and one map for all stocks, as stocks come and go. Their variances are over
    n - 1 cells in the spatial part, here over n.
    """

    def __init__(self, n_features: int, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.spatial_weight = nn.Parameter(torch.full((n_features,), 0.5))
        self.temporal_weight = nn.Parameter(torch.full((n_features,), 0.5))
        self.bias = nn.Parameter(torch.zeros(n_features))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), empty context."""
        mean, spread = window_moments(x, self.epsilon)
        temporal = (x - mean) / spread * self.temporal_weight
        return x * self.spatial_weight + temporal + self.bias, ()


class EDAIN(WindowNormalizer):
    """Outlier damping, shift, scale and power, all learned (September et al. 2024, global EDAIN).

    Outliers move towards the bound beta of a tanh, beta > 1, as far as the weight alpha says; the
    power transform is Yeo & Johnson's (2000). The constants of each feature are learned, so nothing
    is computed from the window. It begins with alpha 0.5, beta 3, and neither shift, scale nor
    power.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.alpha_logit = nn.Parameter(torch.zeros(n_features))
        self.log_beta = nn.Parameter(torch.full((n_features,), 2.0).log())
        self.shift = nn.Parameter(torch.zeros(n_features))
        self.log_scale = nn.Parameter(torch.zeros(n_features))
        self.power = nn.Parameter(torch.ones(n_features))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), empty context."""
        alpha, beta = self.alpha_logit.sigmoid(), 1 + self.log_beta.exp()
        damped = alpha * beta * torch.tanh(x / beta) + (1 - alpha) * x
        return yeo_johnson((damped - self.shift) / self.log_scale.exp(), self.power), ()


def yeo_johnson(x: Tensor, power: Tensor) -> Tensor:
    """The power transform of Yeo & Johnson (2000), finite for every ``x`` and ``power``.

    Args:
        x: Any shape.
        power: Broadcastable to ``x``; 1 is the identity.
    """
    above = box_cox(functional.relu(x), power)
    return torch.where(x >= 0, above, -box_cox(functional.relu(-x), 2 - power))


def box_cox(size: Tensor, power: Tensor) -> Tensor:
    """((1 + size)^power - 1) / power, and log(1 + size) at power 0."""
    logarithm = size.log1p()
    near = power.abs() < 1e-4
    safe = torch.where(near, 1.0, power)
    # the limit to second order, so that the derivative by the power is continuous
    return torch.where(
        near,
        logarithm * (1 + power * logarithm / 2),
        torch.expm1(safe * logarithm) / safe,
    )


class DishTS(RevIN):
    """Learned level of the window, and another of the forecast (Fan et al., AAAI 2023).

    Each level is a learned weighted mean of a feature's window, through GELU as in the authors'
    code; the spread is the root mean squared distance from it. The weights begin as 1 / T. The
    forecast is denormalized by the second level and spread of one feature, ``index``, which is
    meant for a target that continues this feature. A cropped window gets the weights of the newest
    steps, enlarged as there are fewer.
    """

    def set_length(self, length: int) -> None:
        """Make the weights of the steps in both levels."""
        self.levels = nn.Parameter(torch.full((2, length, len(self.weight)), 1 / length))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), level and spread (B,) of the forecast of ``index``."""
        levels, length = self.levels[:, -x.shape[1] :], self.levels.shape[1]
        sums = torch.einsum("btf,ktf->kbf", x, levels) * (length / x.shape[1])
        level, later = functional.gelu(sums).unsqueeze(2)
        spread, later_spread = (
            ((x - each).square().mean(dim=1, keepdim=True) + self.epsilon).sqrt()
            for each in (level, later)
        )
        context = (later[:, 0, self.index], later_spread[:, 0, self.index])
        return (x - level) / spread * self.weight + self.bias, context
