"""Mean partial derivatives over cross-sections, signed and absolute."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from foldproof.tasks.attribute.methods.checks import (
    check_counts,
    check_per_sample,
    date_array,
    scale_of,
)
from foldproof.tasks.attribute.network.gradients import (
    CHUNK,
    Forward,
    by_sample,
    check_inputs,
    gradients_at,
)

Lags = Literal["sum", "abs_sum", "last"]
"""How the lags of a window become one number per feature."""
Reading = Literal["mean_partial", "mean_abs_partial"]
"""Where the absolute value is taken: after the mean over stocks, or before it."""


@dataclass(frozen=True, eq=False)
class MeanPartials:
    """Mean partial derivatives g = ∂f/∂x per date; T runs from the oldest row to the newest.

    Attributes:
        dates: (N,) distinct dates, in order.
        signed: (N, T, F) mean of g over the date's cross-section: M by lag.
        absolute: (N, T, F) mean of |g| over the cross-section.
        total_absolute: (N, F) mean over the cross-section of |g summed over lags|.
    """

    dates: np.ndarray
    signed: Tensor
    absolute: Tensor
    total_absolute: Tensor

    @property
    def series(self) -> Tensor:
        """(N, F) signed M per date: the effect of shifting the feature at all lags at once."""
        return self.signed.sum(1)

    @property
    def mean_partial(self) -> Tensor:
        """(F,) mean over dates of |M|. Blind to effects that cancel across stocks."""
        return self.importance("mean_partial")

    @property
    def mean_abs_partial(self) -> Tensor:
        """(F,) mean over dates and stocks of |g|; never below :attr:`mean_partial`."""
        return self.importance("mean_abs_partial")

    @property
    def sign_consistency(self) -> Tensor:
        """(F,) ratio of the two in [0, 1]; 1 where all stocks agree on every date, 0 for 0 / 0."""
        return self.consistency()

    def consistency(self, lags: Lags = "sum") -> Tensor:
        """(F,) mean_partial / mean_abs_partial in [0, 1] for one way to join the lags."""
        mean = self.importance("mean_partial", lags)
        size = self.importance("mean_abs_partial", lags)
        return (mean / size.clamp_min(torch.finfo(size.dtype).tiny)).clamp_max(1)

    def importance(self, reading: Reading = "mean_partial", lags: Lags = "sum") -> Tensor:
        """(F,) importance of each feature.

        Args:
            reading: mean_partial: mean over dates of |mean over stocks|; mean_abs_partial: mean of
                |g|.
            lags: sum: of a shift at all lags at once (zero for a network that removes the window's
                level, such as instance norm); abs_sum: the importances of the lags added up; last:
                the newest row only.
        """
        if lags == "sum":
            series = self.series.abs() if reading == "mean_partial" else self.total_absolute
            return series.mean(0)
        by_lag = self.by_lag(reading)
        return by_lag.sum(0) if lags == "abs_sum" else by_lag[-1]

    def by_lag(self, reading: Reading = "mean_partial") -> Tensor:
        """(T, F) importance of each cell of the window."""
        return (self.signed.abs() if reading == "mean_partial" else self.absolute).mean(0)


def mean_partial_derivatives(
    forward: Forward,
    inputs: Tensor,
    dates: ArrayLike | Tensor,
    *,
    scale: Tensor | None = None,
    chunk: int = CHUNK,
    rows: Tensor | None = None,
) -> MeanPartials:
    r"""Mean partial derivative of the forecast per date, and two importances made from it.

    .. math:: M_{\tau,i} = \frac{1}{n_\tau} \sum_j \frac{\partial f}{\partial x_i}(x_{\tau,j})

    From a broker's note on factor optimisation (CITIC), of which only an excerpt is known: after
    training, differentiate the output by each factor and average over the cross-section; the time
    mean of the absolute value is the importance. The excerpt does not say whether the absolute
    value is taken after the cross-sectional mean (``mean_partial``) or before
    (``mean_abs_partial``), so both are given, and their ratio as ``sign_consistency``. The
    treatment of lags is not from the note.

    .. warning::

        Derivatives compare across features only if these are standardised; otherwise give
        ``scale`` (their standard deviations). Samples of a batch must not depend on each other.

    Args:
        forward: (B, ...) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, T, F) windows, oldest row first, or (B, F), taken as T = 1.
        dates: (B,) the date of each sample, in any order; give whole cross-sections.
        scale: The change of x that counts as one, broadcastable to ``inputs``, such as (F,) sigma.
        chunk: Samples per backward pass.
        rows: (B,) sample numbers that ``forward`` takes as a second argument; None if it does not.

    Raises:
        ValueError: As :func:`~foldproof.tasks.attribute.integrated_gradients`; or no sample, or
            dates or scale do not fit the inputs.
    """
    days = date_array(dates)
    check_counts(chunk=chunk)
    if inputs.dim() not in (2, 3) or not len(inputs):
        raise ValueError(
            "inputs must be (B, T, F) or (B, F) with at least one sample; their shape is "
            f"{tuple(inputs.shape)}"
        )
    check_per_sample(len(inputs), dates=days.shape)
    with by_sample(forward, inputs, rows) as of_sample:
        check_inputs("inputs", inputs)
        unit = scale_of(scale, inputs)
        distinct, group = np.unique(days, return_inverse=True)
        index = torch.from_numpy(group.reshape(-1))
        shape = (len(distinct), inputs.shape[1] if inputs.dim() == 3 else 1, inputs.shape[-1])
        signed, absolute = (torch.zeros(shape, dtype=torch.float64) for _ in range(2))
        total = torch.zeros(shape[0], shape[2], dtype=torch.float64)
        for block in torch.arange(len(inputs)).split(int(chunk)):
            there = block.to(inputs.device)
            slopes = gradients_at(of_sample, inputs[there], there) * unit[there]
            g = slopes.to("cpu", torch.float64).view(len(block), *shape[1:])
            signed.index_add_(0, index[block], g)
            absolute.index_add_(0, index[block], g.abs())
            total.index_add_(0, index[block], g.sum(1).abs())
        count = torch.bincount(index).view(-1, 1, 1)
        means = (signed / count, absolute / count, total / count[:, 0])
        return MeanPartials(distinct, *(mean.to(inputs) for mean in means))
