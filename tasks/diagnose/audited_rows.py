"""The fold and the fingerprint of the rows on which a user's forecaster is audited."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.data import DataError
from foldproof.tasks.data.features.target import label_ends
from foldproof.tasks.diagnose.imported import own_fold
from foldproof.tasks.diagnose.lookahead.late_columns import trailing_lags
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.split import Fold, WalkForward


def audited_fold(
    rows: pd.DataFrame,
    plan: WalkForward | None,
    horizon: int | None,
    known_at: Mapping[str, str] = MappingProxyType({}),
    embargo: int = 0,
) -> Fold:
    """The newest fold of ``plan``, or without a plan a fold made from the dates of ``rows``.

    Its borders are purged by the dates on which labels become known. Whatever a forecaster trains
    on the training dates was then known before the next block, so a border is never its leak.

    Args:
        rows: Long rows with a column ``date``.
        plan: How the dates are cut.
        horizon: Days that a label spans; it is then known ``horizon`` + 1 dates later. None: as
            ``known_at`` says, else 1.
        known_at: Label -> column of the date on which it becomes known, see
            :func:`~foldproof.tasks.diagnose.spec.purged_by`.
        embargo: Trading days required between the last label and the next block; a plan has its
            own.

    Raises:
        PlanError: The plan needs more dates.
        DataError: There are too few dates for a fold, or a label never becomes known.
    """
    dates = np.unique(rows["date"].to_numpy()).astype("datetime64[D]")
    usual, known = label_ends(dates, horizon or 1), known_ends(rows, dates, known_at)
    ends = np.fmax(usual, known) if horizon else np.where(np.isnat(known), usual, known)
    if plan is not None:
        fold = plan.folds(dates, ends)[-1]
    else:
        unsaid = [lag for lag in trailing_lags(rows, dates).values() if 20 * lag <= len(dates)]
        fold = own_fold(dates, max([1, days_ahead(dates, ends), *unsaid]) - 1 + embargo)
    require_known(rows, fold, known_at)
    return fold


def known_ends(rows: pd.DataFrame, dates: np.ndarray, known_at: Mapping[str, str]) -> np.ndarray:
    """(D,) datetime64[D], when the last label of each date is known; NaT for a date without one."""
    ends = np.full(len(dates), np.datetime64("NaT"), "datetime64[D]")
    place = np.searchsorted(dates, rows["date"].to_numpy().astype("datetime64[D]"))
    for column, known in known_at.items():
        given = (rows[column].notna() & rows[known].notna()).to_numpy()
        stated = rows.loc[given, known].to_numpy().astype("datetime64[D]")
        np.fmax.at(ends, place[given], stated)
    return ends


def days_ahead(dates: np.ndarray, ends: np.ndarray, most: bool = True) -> int:
    """Largest, or else median, number of dates to the end of a label; 0 without any."""
    known = ~np.isnat(ends)
    ahead = np.searchsorted(dates, ends[known]) - np.flatnonzero(known)
    ahead = ahead[ends[known] <= dates[-1]]
    return int(ahead.max() if most else np.median(ahead)) if ahead.size else 0


def horizon_of(rows: pd.DataFrame, known_at: Mapping[str, str]) -> int:
    """Days that a label spans at most: the usual number of dates until it is known, at least 1."""
    dates = np.unique(rows["date"].to_numpy()).astype("datetime64[D]")
    return max(1, days_ahead(dates, known_ends(rows, dates, known_at), most=False))


def require_known(rows: pd.DataFrame, fold: Fold, known_at: Mapping[str, str]) -> None:
    """Raise DataError if a label of the training or validation dates never becomes known."""
    until = max([*fold.train, *fold.validation], default=0)
    early = rows["date"] <= pd.Timestamp(fold.calendar[until])
    for column, known in known_at.items():
        never = rows[early & rows[column].notna() & rows[known].isna()]
        if len(never):
            first = never.iloc[0]
            raise DataError(
                f"known_at: {len(never)} values of {column!r} have no date in {known!r}, the first "
                f"that of {first['symbol']} on {day(first['date'])}: they never become known, and "
                f"no fold can be cut; leave these values out or add their dates"
            )


def rows_fingerprint(rows: pd.DataFrame) -> int:
    """A hash of the values; it depends neither on the order of the rows nor on their index."""
    content = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    return int(content.sum() % 2**63)
