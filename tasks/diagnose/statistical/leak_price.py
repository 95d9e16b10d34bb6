"""The rank IC that a leak adds, against an honest replay of the forecasts day by day."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Inflation
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.rows import change_rows, late_cells
from foldproof.tasks.diagnose.trace.run import BoundForecaster
from foldproof.tasks.diagnose.trace.trace import FittedModels
from foldproof.tasks.statistics.mean_test import mean_test
from foldproof.tasks.statistics.rank_ic import daily_rank_ic

LEVEL = 0.95
"""Confidence level of the interval."""


def known_on(data: pd.DataFrame, date: np.datetime64, known_at: Mapping[str, str]) -> pd.DataFrame:
    """The rows dated up to ``date``, with cells that were not yet known as missing."""
    later = (data["date"] > date).to_numpy()
    late = late_cells(data, known_at, date)
    return change_rows(data, later, "truncate", np.random.default_rng(0), late)


def honest_scores(
    subject: BoundForecaster,
    data: pd.DataFrame,
    dates: np.ndarray,
    known_at: Mapping[str, str],
    traced: bool,
) -> pd.Series:
    """Scores of ``dates``, each from the data known on that date.

    If training is traced, the model is trained once, on the data known on the first test date, and
    only scores afterwards; else it is trained again for every date.

    Args:
        subject: The forecaster on its fold.
        data: Long rows.
        dates: (n,) test dates to replay.
        known_at: Column -> column of the date on which its cells become known.
        traced: Whether training is traced.
    """
    models = None
    if traced:
        first = known_on(data, subject.fold.test_dates[0], known_at)
        run, _ = attempt(partial(subject.run, first))
        models = run.trace.reusable if run is not None else None
    found = []
    for date in dates:
        past = known_on(data, date, known_at)
        scores, _ = attempt(partial(subject.scores, past, FittedModels(models)))
        if scores is not None:
            found.append(scores[scores.index.get_level_values(0) == date])
    return pd.concat(found) if found else pd.Series(dtype=np.float64)


def inflation(
    reported: pd.Series,
    honest: pd.Series,
    target: pd.Series,
    dates: np.ndarray,
    horizon: int,
    honest_target: pd.Series | None = None,
) -> Inflation | None:
    """Mean daily rank IC of ``reported`` minus that of ``honest`` on ``dates``, with an interval.

    A date without an honest forecast has an honest rank IC of 0.

    Args:
        reported: Scores indexed (date, symbol).
        honest: Scores of the replay, indexed the same way.
        target: Indexed (date, symbol).
        dates: (n,) dates of the replay.
        horizon: Rows that a label spans.
        honest_target: An honest target for the replay, if ``target`` itself leaks.

    Returns:
        None if fewer than three of the dates have a rank IC.
    """
    original = daily_rank_ic(reported, target)
    original = original[original.index.isin(dates)]
    replay = daily_rank_ic(honest, target if honest_target is None else honest_target)
    replay = replay.reindex(original.index)
    if len(original) < 3:
        return None
    gap = original - replay.fillna(0.0)
    tested = mean_test(gap.to_numpy(), horizon)
    half = tested.critical(1 - LEVEL)
    return Inflation(
        reported=float(original.mean()),
        honest=float(replay.fillna(0.0).mean()),
        low=tested.mean - half,
        high=tested.mean + half,
        level=LEVEL,
        dates=len(original),
        abstained=int(replay.isna().sum()),
    )
