"""Importance by periods of the test block and by direction, the input of the drift test."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldproof.tasks.attribute.unit.tables import COLUMNS


def by_direction(values: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
    """Net importance by sample and feature, split by the direction of the feature's effect.

    A feature works upwards in a sample where its cells above the baseline raise the forecast and
    its cells below the baseline lower it, summed over its lags: for a linear network, where its
    weights are positive. So a signal that changes sign keeps its importance and changes direction.

    Args:
        values: (B, T, F) attributions.
        moved: (B, T, F) inputs less their baseline.

    Returns:
        |sum over lags| of the features that work upwards and of those that work downwards, each
        (B, F), 0 where the other one is not.
    """
    net = values.sum(1).abs()
    upwards = (values * moved.sign()).sum(1) >= 0
    return net * upwards, net * ~upwards


def period_rows(
    key: Mapping[str, object],
    features: tuple[str, ...],
    dates: np.ndarray,
    test_dates: np.ndarray,
    length: int,
    parts: tuple[Tensor, Tensor],
) -> pd.DataFrame:
    """Means of both directions over the samples of each whole period of the test block.

    Args:
        key: Columns that name the unit.
        features: F names.
        dates: (B,) date of each sample.
        test_dates: Of the fold.
        length: Rows of a period. Windows of samples further apart than a window share no row.
        parts: As returned by :func:`by_direction`.

    Returns:
        variant, fold, seed, period, first (date), samples, feature, up, down. Rows past the last
        whole period belong to it; periods without a sample have no row.
    """
    periods = max(1, len(test_dates) // length)
    place = np.minimum(np.searchsorted(test_dates, dates) // length, periods - 1)
    number = torch.from_numpy(place)
    counts = torch.bincount(number, minlength=periods)
    sums = [torch.zeros(periods, len(features)).to(p).index_add(0, number, p) for p in parts]
    filled = counts.nonzero().flatten()
    up, down = ((total / counts.unsqueeze(1))[filled].flatten().numpy() for total in sums)
    kept = filled.numpy()
    return pd.DataFrame(
        {
            **key,
            "period": np.repeat(kept, len(features)),
            "first": np.repeat(test_dates[kept * length], len(features)),
            "samples": np.repeat(counts.numpy()[kept], len(features)),
            "feature": np.tile(np.array(features), len(kept)),
            "up": up,
            "down": down,
        }
    )[list(COLUMNS["periods"])]
