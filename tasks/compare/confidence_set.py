"""The model confidence set: the columns that may have the highest mean."""

import numpy as np

from foldproof.tasks.compare.intervals import block_length


def confidence_set(
    daily: np.ndarray, horizon: int, *, level: float, draws: int, seed: int
) -> np.ndarray:
    """(V,) bool: the columns that may have the highest mean (model confidence set).

    Hansen, Lunde & Nason 2011, range statistic, stationary bootstrap; the loss is minus the daily
    rank IC. The best column is in the set with probability ``level``. Of equal columns all are in
    the set or none.
    """
    from arch.bootstrap import MCS  # here: the import takes a second

    distinct, group = np.unique(daily, axis=1, return_inverse=True)
    if distinct.shape[1] == 1:
        return np.ones(daily.shape[1], dtype=bool)
    block = block_length(distinct, horizon)
    procedure = MCS(-distinct, size=1 - level, reps=draws, block_size=block, method="R", seed=seed)
    procedure.compute()
    return np.isin(group.reshape(-1), np.array(procedure.included, dtype=int))
