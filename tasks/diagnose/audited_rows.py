"""The fold and the fingerprint of the rows on which a user's forecaster is audited."""

import numpy as np
import pandas as pd

from foldproof.tasks.data.features.target import label_ends
from foldproof.tasks.diagnose.imported import own_fold
from foldproof.tasks.split import Fold, WalkForward


def audited_fold(rows: pd.DataFrame, plan: WalkForward | None, horizon: int) -> Fold:
    """The newest fold of ``plan``, or without a plan a fold made from the dates of ``rows``.

    Args:
        rows: Long rows with a column ``date``.
        plan: How the dates are cut.
        horizon: Days that a label spans; it is known ``horizon`` + 1 dates later.

    Raises:
        PlanError: The plan needs more dates.
        DataError: There are too few dates for a fold.
    """
    dates = np.unique(rows["date"].to_numpy()).astype("datetime64[D]")
    if plan is None:
        return own_fold(dates, horizon)
    return plan.folds(dates, label_ends(dates, horizon))[-1]


def rows_fingerprint(rows: pd.DataFrame) -> int:
    """A hash of the values; it depends neither on the order of the rows nor on their index."""
    content = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    return int(content.sum() % 2**63)
