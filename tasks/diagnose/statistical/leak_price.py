"""What a leak is worth: the forecasts again, day by day, with nothing dated later in reach."""

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
"""Of the interval of what a leak is worth."""


def known_on(data: pd.DataFrame, date: np.datetime64, known_at: Mapping[str, str]) -> pd.DataFrame:
    """The rows dated up to ``date``, cells that were not known then as missing."""
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
    """Scores of ``dates``, each from data that end on it.

    Where training is traced, the model is trained once on what was known before the first of the
    test dates, and then only scores; else every date trains anew.

    Args:
        subject: The forecaster on its fold.
        data: Long rows.
        dates: (n,) test dates to replay.
        known_at: Column -> column of the date on which its cell becomes known.
        traced: Whether training is traced.
    """
    models = None
    if traced:
        first = known_on(data, subject.fold.test_dates[0], known_at)
        run, _ = attempt(partial(subject.run, first))
        models = run.trace.reusable if run is not None else None
    found = []
    for date in dates:
        data_then = known_on(data, date, known_at)
        scores, _ = attempt(partial(subject.scores, data_then, FittedModels(models)))
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
    """Mean daily rank IC of ``reported`` less that of ``honest`` on ``dates``, with its interval.

    A date that the honest replay cannot forecast has an honest rank IC of 0: no opinion.

    Args:
        reported: Scores indexed (date, symbol).
        honest: The same from a replay.
        target: Indexed (date, symbol).
        dates: (n,) the dates that were replayed.
        horizon: Rows that a label spans.
        honest_target: What could be earned, where the target itself leaks.

    Returns:
        None where fewer than three of the dates have a rank IC.
    """
    was = daily_rank_ic(reported, target)
    was = was[was.index.isin(dates)]
    could = daily_rank_ic(honest, target if honest_target is None else honest_target)
    replayed = could.reindex(was.index)
    if len(was) < 3:
        return None
    gap = was - replayed.fillna(0.0)
    tested = mean_test(gap.to_numpy(), horizon)
    half = tested.critical(1 - LEVEL)
    return Inflation(
        reported=float(was.mean()),
        honest=float(replayed.fillna(0.0).mean()),
        low=tested.mean - half,
        high=tested.mean + half,
        level=LEVEL,
        dates=len(was),
        abstained=int(replayed.isna().sum()),
    )
