"""Each feature alone as a forecaster, with the sign that it had in the training block."""

import numpy as np

from foldproof.models.date_rows import Rows, at
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.statistics.rank_ic import rank_correlation

FEATURE = "feature:"
"""Prefix of the name of a reference that consists of one feature."""


def daily_feature_ics(panel: Panel, features: tuple[str, ...] | None = None) -> np.ndarray:
    """(D, F) rank IC of ``features`` (by default all) over the members; NaN without labels."""
    target = np.where(panel.member, panel.target, np.nan)
    chosen = panel.features if features is None else features
    columns = [
        rank_correlation(panel.values[..., panel.features.index(name)], target) for name in chosen
    ]
    return np.stack(columns, axis=1)


def training_signs(daily: np.ndarray, train: Rows) -> np.ndarray:
    """(F,) 1 or -1: the sign of the mean rank IC (D, F) over the rows of a training block.

    The labels of these rows end before the validation block, because the plan purges them. A
    feature without any rank IC there keeps its sign.
    """
    known = np.nan_to_num(daily[at(train)])
    return np.where(known.sum(axis=0) < 0, -1.0, 1.0)
