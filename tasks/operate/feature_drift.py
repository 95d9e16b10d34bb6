"""Drift of features: how far their values have moved from those of the training rows."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from foldproof.tasks.train.serving.training_values import Profile, counted


def stability_index(profile: Profile, values: np.ndarray) -> float:
    r"""Population stability index of (N,) values against the training rows.

    .. math:: \sum_b (q_b - p_b) \ln (q_b / p_b)

    over the bins of the profile, p the training shares, q those of the values; a share of 0 counts
    as half a value. Credit-scoring practice (Siddiqi 2006): below 0.1 stable, above 0.25 moved.

    .. warning::

        Sampling alone gives about (bins - 1) (1/N + 1/N_train) for independent values, and more
        for values that persist from day to day: a few dates of a few symbols always look moved.

    Returns:
        NaN where the values or the training rows hold no finite value.
    """
    known = values[np.isfinite(values)]
    if not len(known) or not profile.shares:
        return math.nan
    counts = counted(known, np.array(profile.edges))
    half = 0.5 / len(known)
    shares = np.maximum(counts / len(known), half)
    expected = np.array(profile.shares)
    expected = np.where(expected > 0, expected, half)
    return float(((shares - expected) * np.log(shares / expected)).sum())


def stability_indices(
    reference: Mapping[str, Profile], cells: np.ndarray, features: tuple[str, ...]
) -> pd.Series:
    """The index of every feature of (N, F) cells, largest first, NaN last."""
    found = {name: stability_index(reference[name], cells[:, k]) for k, name in enumerate(features)}
    return pd.Series(found, dtype=float).sort_values(ascending=False, kind="stable")


def share_outside(
    reference: Mapping[str, Profile], cells: np.ndarray, features: tuple[str, ...]
) -> pd.Series:
    """Share of the values of every feature outside its training range, highest first.

    Args:
        reference: Profile of every feature; one without training values has no range.
        cells: (N, F); NaN is not a value. A feature without a value has a share of 0.
        features: F names.
    """
    ends = [(reference[name].low, reference[name].high) for name in features]
    low, high = np.array(ends, dtype=float).reshape(-1, 2).T  # None: NaN, never exceeded
    known = np.isfinite(cells)
    outside = known & ((cells < low) | (cells > high))
    share = outside.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return pd.Series(share, index=list(features)).sort_values(ascending=False, kind="stable")
