"""Mean partial derivatives over cross-sections: a broker's measure of factor importance."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from foldproof.tasks.attribute.network.gradients import (
    CHUNK,
    Forward,
    ForwardOf,
    check_inputs,
    eval_mode,
    gradients_at,
)

Lags = Literal["sum", "abs_sum", "last"]
"""How the lags of a window become one figure per feature."""


@dataclass(frozen=True, eq=False)
class MeanPartials:
    """Mean partial derivatives g = d f / d x per date; T runs from the oldest row to the newest.

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
    def citic(self) -> Tensor:
        """(F,) reading A: mean over dates of |M|. Blind to effects that cancel across stocks."""
        return self.importance("citic")

    @property
    def citic_abs(self) -> Tensor:
        """(F,) reading B: mean over dates and stocks of |g|; never below reading A."""
        return self.importance("citic_abs")

    @property
    def sign_consistency(self) -> Tensor:
        """(F,) A / B in [0, 1]; 1 where every stock agrees on every date, 0 where both are 0."""
        return self.consistency()

    def consistency(self, lags: Lags = "sum") -> Tensor:
        """(F,) reading A / reading B in [0, 1] for one way to join the lags."""
        mean, size = self.importance("citic", lags), self.importance("citic_abs", lags)
        return (mean / size.clamp_min(torch.finfo(size.dtype).tiny)).clamp_max(1)

    def importance(
        self, reading: Literal["citic", "citic_abs"] = "citic", lags: Lags = "sum"
    ) -> Tensor:
        """(F,) importance of each feature.

        Args:
            reading: citic: mean over dates of |mean over stocks|; citic_abs: mean of |g|.
            lags: sum: of a shift at all lags at once (nothing to a network that takes the
                window's level out, such as instance norm); abs_sum: the lags' own importances
                added up; last: the newest row only.
        """
        if lags == "sum":
            return (self.series.abs() if reading == "citic" else self.total_absolute).mean(0)
        by_lag = self.by_lag(reading)
        return by_lag.sum(0) if lags == "abs_sum" else by_lag[-1]

    def by_lag(self, reading: Literal["citic", "citic_abs"] = "citic") -> Tensor:
        """(T, F) importance of each cell of the window."""
        return (self.signed.abs() if reading == "citic" else self.absolute).mean(0)


def mean_partial_derivatives(
    forward: Forward,
    inputs: Tensor,
    dates: ArrayLike | Tensor,
    *,
    scale: Tensor | None = None,
    chunk: int = CHUNK,
) -> MeanPartials:
    r"""Mean partial derivative of the forecast per date, and its two readings as importance.

    .. math:: M_{\tau,i} = \frac{1}{n_\tau} \sum_j \frac{\partial f}{\partial x_i}(x_{\tau,j})

    From a broker's note on factor optimisation, known by an excerpt: after a
    training, differentiate the output by each factor and average over the cross-section; the time
    mean of the absolute value is the importance. Whether the absolute value is taken after the
    cross-sectional mean (reading A, ``citic``) or before (reading B, ``citic_abs``) is not certain,
    so both are given, and their ratio as ``sign_consistency``. The lags are ours, not the note's.

    .. warning::

        Derivatives compare across features only if these are standardised: give ``scale`` (their
        standard deviations) otherwise. Samples of a batch must not depend on each other.

    Args:
        forward: (B, ...) -> (B,), differentiable. An nn.Module is put in eval mode for the call.
        inputs: (B, T, F) windows, oldest row first, or (B, F), taken as T = 1.
        dates: (B,) the date of each sample, in any order; whole cross-sections are meant.
        scale: Units of x that count as one, broadcastable to ``inputs``, such as (F,) sigma.
        chunk: Samples per backward pass.

    Raises:
        ValueError: As :func:`~tasks.attribute.integrated_gradients`; or no sample, or dates or
            scale do not fit the inputs.
    """
    with eval_mode(forward):
        return partials_of(
            lambda points, _: forward(points), inputs, dates, scale=scale, chunk=chunk
        )


def partials_of(
    forward: ForwardOf,
    inputs: Tensor,
    dates: ArrayLike | Tensor,
    *,
    scale: Tensor | None = None,
    chunk: int = CHUNK,
) -> MeanPartials:
    """As :func:`mean_partial_derivatives` for a forward that is told the rows of its samples."""
    days = dates.cpu().numpy() if isinstance(dates, Tensor) else np.asarray(dates)
    check_shapes(inputs, days, chunk)
    check_inputs("inputs", inputs)
    unit = broadcast_scale(scale, inputs)
    distinct, group = np.unique(days, return_inverse=True)
    index = torch.from_numpy(group.reshape(-1))
    shape = (len(distinct), inputs.shape[1] if inputs.dim() == 3 else 1, inputs.shape[-1])
    signed, absolute = (torch.zeros(shape, dtype=torch.float64) for _ in range(2))
    total = torch.zeros(shape[0], shape[2], dtype=torch.float64)
    for rows in torch.arange(len(inputs)).split(chunk):
        there = rows.to(inputs.device)
        slopes = gradients_at(forward, inputs[there], there) * unit[there]
        g = slopes.to("cpu", torch.float64).view(len(rows), *shape[1:])
        signed.index_add_(0, index[rows], g)
        absolute.index_add_(0, index[rows], g.abs())
        total.index_add_(0, index[rows], g.sum(1).abs())
    count = torch.bincount(index).view(-1, 1, 1)
    means = (signed / count, absolute / count, total / count[:, 0])
    return MeanPartials(distinct, *(mean.to(inputs) for mean in means))


def check_shapes(inputs: Tensor, dates: np.ndarray, chunk: int) -> None:
    """Raise ValueError unless inputs are (B, T, F) or (B, F) with B >= 1, and dates are (B,)."""
    if inputs.dim() not in (2, 3) or not len(inputs):
        raise ValueError(
            "inputs must be (B, T, F) or (B, F) with at least one sample; their shape is "
            f"{tuple(inputs.shape)}"
        )
    if dates.shape != (len(inputs),):
        raise ValueError(
            f"dates must name the date of each of the {len(inputs)} samples, shape "
            f"({len(inputs)},); their shape is {dates.shape}"
        )
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1; it is {chunk}")


def broadcast_scale(scale: Tensor | None, inputs: Tensor) -> Tensor:
    """The scale in the shape of ``inputs``; ones where none is given."""
    unit = torch.ones((), dtype=inputs.dtype) if scale is None else torch.as_tensor(scale)
    check_inputs("scale", unit)
    try:
        return unit.to(inputs).broadcast_to(inputs.shape)
    except RuntimeError:
        raise ValueError(
            f"scale of shape {tuple(unit.shape)} cannot be broadcast to inputs of shape "
            f"{tuple(inputs.shape)}: give one unit per feature, ({inputs.shape[-1]},)"
        ) from None
