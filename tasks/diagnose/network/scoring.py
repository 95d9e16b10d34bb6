"""Score windows batch by batch, as a loop over a loader does, and compute their rank IC."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from foldproof.tasks.diagnose.network.calls import fresh_call
from foldproof.tasks.diagnose.network.coupling import as_numpy
from foldproof.tasks.statistics.rank_ic import daily_rank_ic


@dataclass(frozen=True, eq=False)
class Labels:
    """Targets of the windows of a batch, and how the windows are scored.

    Attributes:
        target: (B,) float64, NaN where unknown.
        symbols: (B,) int64 symbol number of each window, or None.
        horizon: Dates spanned by a target.
        batch_size: Samples scored together, in their order; None for all.
    """

    target: np.ndarray
    symbols: Tensor | None
    horizon: int
    batch_size: int | None

    @classmethod
    def of(
        cls,
        target: Tensor | np.ndarray | None,
        symbols: Tensor | np.ndarray | None,
        horizon: int,
        batch_size: int | None,
        length: int,
    ) -> "Labels | None":
        """Checked labels of ``length`` windows; None without targets.

        Raises:
            ValueError: Targets or symbols are not one per window; horizon or batch_size is below 1.
        """
        for name, count in (("horizon", horizon), ("batch_size", batch_size)):
            if count is not None and count < 1:
                raise ValueError(f"{name} must be at least 1; it is {count}")
        if target is None:
            return None
        numbers = None
        if symbols is not None:
            codes = np.unique(one_per_window("symbols", symbols, length), return_inverse=True)[1]
            numbers = torch.from_numpy(codes.astype(np.int64))
        values = one_per_window("target", target, length).astype(np.float64)
        return cls(values, numbers, horizon, batch_size)


def one_per_window(name: str, values: Tensor | np.ndarray, length: int) -> np.ndarray:
    """(B,) values as numpy.

    Raises:
        ValueError: The shape is another.
    """
    given = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if given.shape != (length,):
        raise ValueError(f"{name} must be ({length},), one value per window; it is {given.shape}")
    return given


def in_batches(
    module: nn.Module, windows: Tensor, dates: Tensor, batches: list[Tensor], seed: int
) -> np.ndarray:
    """(B,) forecasts, each batch scored on a fresh copy of ``module``; NaN in no batch.

    Args:
        module: The network, in the mode to score in.
        windows: (B, T, F).
        dates: (B,) int64.
        batches: Positions of the samples of each batch, in order.
        seed: Seed of random numbers within the module.

    Raises:
        ValueError: Outputs are not one number per sample.
    """
    forecast = np.full(len(windows), np.nan)
    for batch in batches:
        out = as_numpy(fresh_call(module, windows[batch], dates[batch], seed))
        if out.size != len(batch):
            raise ValueError(f"rank IC needs one output per sample; the outputs are {out.shape}")
        forecast[batch.cpu().numpy()] = out.reshape(-1)
    return forecast


def rank_ic_of(forecast: np.ndarray, dates: Tensor, target: np.ndarray) -> pd.Series:
    """Rank IC by date of (B,) forecasts and targets."""
    day = pd.Series(dates.cpu().numpy())
    index = pd.MultiIndex.from_arrays([day, day.groupby(day).cumcount()])
    return daily_rank_ic(pd.Series(forecast, index), pd.Series(target, index))


def pieces(length: int, size: int | None) -> list[Tensor]:
    """Positions 0..length - 1 in batches of ``size``, in order; one batch for None."""
    return list(torch.arange(length).split(size or max(length, 1)))
