"""Torch copies of the built-in price features: the same numbers, with derivatives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class LogPrices:
    """Inputs of the torch features: float64 logs without missing cells.

    A cell that was not supplied holds 0; features of it are not used.

    Attributes:
        close: (R, S) log of the adjusted close, carried over short gaps.
        returns: (R, S) log return of one day.
        market: (R, 1) mean of ``returns`` over the day's members.
        volume: (R, S) log of the shares traded; None where the table has none.
    """

    close: Tensor
    returns: Tensor
    market: Tensor
    volume: Tensor | None


TorchFeature = Callable[[LogPrices, int], Tensor]
"""(prices of R rows, n) -> (n, S) the feature on the newest n rows; R includes its look-back."""


def last(x: Tensor, rows: int, lag: int = 0) -> Tensor:
    """(R, S) -> (rows, S): the newest rows, ``lag`` rows back."""
    return x[len(x) - lag - rows : len(x) - lag]


def windows(x: Tensor, rows: int, length: int) -> Tensor:
    """(R, S) -> (rows, S, length): for each of the newest rows the ``length`` that end there."""
    return last(x, rows + length - 1).unfold(0, length, 1)


def largest(x: Tensor, rows: int, length: int) -> Tensor:
    """(rows, S) maximum over ``length`` rows, from overlapping spans that double in length."""
    best, span = last(x, rows + length - 1), 1
    while span < length:
        step = min(span, length - span)
        best = torch.maximum(best[step:], best[:-step])
        span += step
    return best


def ratio(above: Tensor, below: Tensor) -> Tensor:
    """``above`` / ``below``; NaN with derivatives of 0 (not NaN) unless ``below`` > 0."""
    there = below > 0
    return torch.where(there, above / torch.where(there, below, 1), torch.nan)


def root(x: Tensor) -> Tensor:
    """Square root with a derivative of 0 at 0: a spread of 0 is at its minimum."""
    there = x > 0
    return torch.where(there, torch.where(there, x, 1).sqrt(), 0)


def log_return(p: LogPrices, rows: int, days: int, skip: int = 0) -> Tensor:
    """(rows, S) log P[d - skip] / P[d - days]."""
    return last(p.close, rows, skip) - last(p.close, rows, days)


def covariance(x: Tensor, y: Tensor, rows: int, length: int) -> Tensor:
    """(rows, S) covariance, with denominator ``length`` - 1."""
    a, b = (windows(one, rows, length) for one in (x, y))
    products = (a - a.mean(-1, keepdim=True)) * (b - b.mean(-1, keepdim=True))
    return products.sum(-1) / (length - 1)


def deviation(x: Tensor, rows: int, length: int) -> Tensor:
    """(rows, S) standard deviation, with denominator ``length`` - 1."""
    return root(covariance(x, x, rows, length))


def relative(p: LogPrices, rows: int, days: int) -> Tensor:
    """(rows, S) sum of r - m over ``days``."""
    return windows(p.returns - p.market, rows, days).sum(-1)


def traded(p: LogPrices) -> Tensor:
    """(R, S) log volume.

    Raises:
        ValueError: The prices have no volume.
    """
    if p.volume is None:
        raise ValueError("this feature needs volume; the prices have none")
    return p.volume


def illiquidity(p: LogPrices, rows: int) -> Tensor:
    """(rows, S) log of the mean of |r| / (P V) over 21 days; NaN where no price changed."""
    mean = windows(p.returns.abs() * torch.exp(-p.close - traded(p)), rows, 21).mean(-1)
    there = mean > 0
    return torch.where(there, torch.where(there, mean, 1).log(), torch.nan)


TORCH_FEATURES: Mapping[str, TorchFeature] = MappingProxyType({
    "return_1": lambda p, n: log_return(p, n, 1),
    "return_5": lambda p, n: log_return(p, n, 5),
    "return_21": lambda p, n: log_return(p, n, 21),
    "return_63": lambda p, n: log_return(p, n, 63),
    "momentum_252_21": lambda p, n: log_return(p, n, 252, skip=21),
    "reversal_5": lambda p, n: -ratio(log_return(p, n, 5), deviation(p.returns, n, 21) * 5**0.5),
    "volatility_21": lambda p, n: deviation(p.returns, n, 21),
    "volatility_63": lambda p, n: deviation(p.returns, n, 63),
    "max_return_21": lambda p, n: largest(p.returns, n, 21),
    "drawdown_252": lambda p, n: torch.expm1(last(p.close, n) - largest(p.close, n, 252)),
    "rise_252": lambda p, n: torch.expm1(last(p.close, n) + largest(-p.close, n, 252)),
    "relative_5": lambda p, n: relative(p, n, 5),
    "relative_21": lambda p, n: relative(p, n, 21),
    "beta_63": lambda p, n: ratio(
        covariance(p.returns, p.market, n, 63), covariance(p.market, p.market, n, 63)
    ),
    "volume_change_21": lambda p, n: (
        last(traded(p), n) - windows(traded(p).exp(), n, 21).mean(-1).log()
    ),
    "illiquidity_21": illiquidity,
})  # fmt: skip
"""The torch copy of every entry of ``FEATURES`` in tasks/data/features/features.py, by name."""
