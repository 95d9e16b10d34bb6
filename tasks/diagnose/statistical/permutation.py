"""Label permutation: does a model trained on shuffled labels still forecast the test labels?"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from numpy.random import Generator

from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import statistical_finding, unknown_finding
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.statistical.noise_market import random_signs
from foldproof.tasks.diagnose.trace.run import BoundForecaster, Forecast
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.mean_test import ratio
from foldproof.tasks.statistics.rank_ic import daily_rank_ic

TEST, STAGE = "label_permutation", "training"
LEAST_PERMUTATIONS = 5
"""Fewest permutations for a test of their mean."""


def label_permutation(
    fit_predict: Forecast,
    data: pd.DataFrame,
    fold: Fold,
    target: str,
    *,
    permutations: int = 20,
    seed: int = 0,
    level: float = LEVEL,
) -> Finding:
    """Train on labels shuffled within dates; skill on the test labels then comes from a leak.

    A single shuffled model proves little: its few wrong weights fall on features that may well
    forecast, so an honest strong feature spreads the rank ICs widely around zero. The test is
    one-sided, on their mean over permutations.

    A mean above zero has one honest cause: a forecast that does not depend on the labels, such as
    a fixed rule, a pretrained network or an untrained start with a fixed seed. If the mean is
    significant, every permutation is therefore trained again with the test labels shuffled too. A
    forecast that is no worse then did not read the test labels, and p is the larger of the two.

    Args:
        fit_predict: As in :func:`~foldproof.tasks.diagnose.audit_forecaster`; trains on the column
            ``target``. Seed it: differences between two runs blur the second test.
        data: Long rows with ``date``, ``symbol`` and ``target``.
        fold: Labels of its training and validation dates are shuffled, its test dates scored.
        target: Column of the labels, for training and scoring.
        permutations: Number of trainings; as many again if the mean is significant.
        seed: Of the permutations.
        level: Of the test.

    Raises:
        ValueError: Fewer than five permutations.
    """
    if permutations < LEAST_PERMUTATIONS:
        raise ValueError(
            f"a mean over permutations needs at least {LEAST_PERMUTATIONS}; there are "
            f"{permutations}"
        )
    tested = f"{permutations} permutations of the labels within dates"
    truth = data.set_index(["date", "symbol"])[target]
    bound = BoundForecaster(fit_predict, fold)
    learned = (*fold.train_dates, *fold.validation_dates)

    def rank_ics(*dates: np.datetime64) -> np.ndarray:
        draws = permuted(data, target, np.array(dates), permutations, seed)
        return np.array([mean_rank_ic(bound.run(drawn).scores, truth) for drawn in draws])

    first, reason = attempt(partial(rank_ics, *learned))
    if first is None:
        return unknown_finding(TEST, STAGE, f"it fails on shuffled labels: {reason}", tested)
    p, detail = p_above_zero(first), _detail(first)
    if p <= level:
        second, reason = attempt(partial(rank_ics, *learned, *fold.test_dates))
        if second is None:
            return unknown_finding(TEST, STAGE, f"it fails on shuffled labels: {reason}", tested)
        p = max(p, p_above_zero(first - second))
        meaning = (
            "it reads labels of the test dates"
            if p <= level
            else "its forecasts hold without training labels (a fixed rule); no test label is read"
        )
        detail += f"; {second.mean():+.4f} once test labels are shuffled too: {meaning}"
    return statistical_finding(TEST, STAGE, first.mean(), p, level, tested, detail)


def permuted(
    data: pd.DataFrame, target: str, dates: np.ndarray, count: int, seed: int
) -> Iterator[pd.DataFrame]:
    """Yield ``count`` copies with the labels of ``dates`` shuffled over symbols, with random signs.

    Without the random sign of each date, its mean label would stay with its mean features, and a
    model of all dates could learn from that. Labels are flipped about zero, or about their mean if
    none is negative, as for ranks and classes.
    """
    rows = np.flatnonzero(data["date"].isin(dates).to_numpy())
    date = data["date"].to_numpy()[rows]
    labels = data[target].to_numpy(dtype=np.float64)
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        changed = labels.copy()
        changed[rows] = shuffled(labels[rows], date, generator)
        yield data.assign(**{target: changed})


def shuffled(labels: np.ndarray, date: np.ndarray, generator: Generator) -> np.ndarray:
    """(n,) labels shuffled within dates and flipped date by date; NaN stays."""
    out = labels.copy()
    place = np.flatnonzero(np.isfinite(labels))
    groups, number = np.unique(date[place], return_inverse=True)
    order = np.lexsort((generator.random(len(place)), number))
    drawn = labels[place[order]]
    sign = random_signs(len(groups), generator)[np.sort(number)]
    centre = 0.0 if (drawn < 0).any() else drawn.mean()
    out[place[np.argsort(number, kind="stable")]] = centre + sign * (drawn - centre)
    return out


def mean_rank_ic(scores: pd.Series, truth: pd.Series) -> float:
    """Mean daily rank IC.

    Raises:
        ValueError: No date has scores and labels for enough symbols.
    """
    daily = daily_rank_ic(scores, truth)
    if daily.empty:
        raise ValueError("no test date has scores and labels for three symbols or more")
    return float(daily.mean())


def p_above_zero(values: np.ndarray) -> float:
    """One-sided p-value of Student's t test that the mean of ``values`` (M,) is above zero."""
    from scipy import stats  # here, because the import is slow

    error = np.array([values.std(ddof=1) / np.sqrt(len(values))])
    return float(stats.t.sf(ratio(values.mean(keepdims=True), error)[0], len(values) - 1))


def _detail(values: np.ndarray) -> str:
    """Mean and range of the rank ICs over permutations."""
    return (
        f"rank IC {values.mean():+.4f} after training on shuffled labels, from {values.min():+.4f} "
        f"to {values.max():+.4f} over permutations"
    )
