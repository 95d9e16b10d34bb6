"""Label permutation: trained on labels that mean nothing, does it still know the test labels?"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from numpy.random import Generator

from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import statistical_finding, unknown_finding
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.statistical.noise_market import coins
from foldproof.tasks.diagnose.trace.run import BoundForecaster, Forecast
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.mean_test import ratio
from foldproof.tasks.statistics.rank_ic import daily_rank_ic

TEST, STAGE = "label_permutation", "training"
LEAST_PERMUTATIONS = 5
"""Permutations below which their mean is not tested."""


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
    """Train on labels permuted within dates; what still forecasts the test labels was not learned.

    A single permuted model is lucky or unlucky: its few wrong weights fall on features that may
    well forecast, so an honest strong feature spreads its rank ICs far to both sides of zero. Only
    their mean over permutations is judged, one-sided.

    A mean above zero has one honest cause: a model that brings its opinion along, such as a fixed
    rule, a pretrained network or an untrained start that is the same each time. So when the mean
    is significant, every permutation is trained once more with the labels of the test dates
    permuted too. What then forecasts the true test labels no worse did not get it from them, and
    p is the larger of the two.

    Args:
        fit_predict: As in :func:`~tasks.diagnose.audit_forecaster`; trains on the column
            ``target``. Seed it: what differs between two runs blurs the second test.
        data: Long rows with ``date``, ``symbol`` and ``target``.
        fold: Labels of its training and validation dates are permuted, its test dates scored.
        target: Column of the labels that are learned and scored.
        permutations: Trainings, and as many again if they succeed.
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
    subject = BoundForecaster(fit_predict, fold)
    learned = (*fold.train_dates, *fold.validation_dates)

    def values(*dates: np.datetime64) -> np.ndarray:
        draws = permuted(data, target, np.array(dates), permutations, seed)
        return np.array([mean_rank_ic(subject.run(drawn).scores, truth) for drawn in draws])

    first, reason = attempt(partial(values, *learned))
    if first is None:
        return unknown_finding(TEST, STAGE, f"it fails on permuted labels: {reason}", tested)
    p = p_above_zero(first)
    if p > level:
        return statistical_finding(TEST, STAGE, first.mean(), p, level, tested, spread_of(first))
    second, reason = attempt(partial(values, *learned, *fold.test_dates))
    if second is None:
        return unknown_finding(TEST, STAGE, f"it fails on permuted labels: {reason}", tested)
    p = max(p, p_above_zero(first - second))
    return statistical_finding(
        TEST, STAGE, first.mean(), p, level, tested, detail_of(first, second, p, level)
    )


def permuted(
    data: pd.DataFrame, target: str, dates: np.ndarray, count: int, seed: int
) -> Iterator[pd.DataFrame]:
    """``count`` copies whose labels of ``dates`` changed symbols; each date has a random sign.

    Without the sign the mean label of a date would stay with the mean feature of that date, and a
    model of all dates could learn from that. The sign turns labels about zero; about their mean
    where none is negative, as ranks and classes are.
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
    """(n,) labels permuted within dates and turned date by date; NaN stays."""
    out = labels.copy()
    known = np.flatnonzero(np.isfinite(labels))
    groups, number = np.unique(date[known], return_inverse=True)
    order = np.lexsort((generator.random(len(known)), number))
    drawn = labels[known[order]]
    sign = coins(len(groups), generator)[np.sort(number)]
    centre = 0.0 if (drawn < 0).any() else drawn.mean()
    out[known[np.argsort(number, kind="stable")]] = centre + sign * (drawn - centre)
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
    """One-sided p-value of Student's t of the mean of independent values (M,) above zero."""
    from scipy import stats  # here: it is slow, and configurations are read first

    error = np.array([values.std(ddof=1) / np.sqrt(len(values))])
    return float(stats.t.sf(ratio(values.mean(keepdims=True), error)[0], len(values) - 1))


def spread_of(values: np.ndarray) -> str:
    """Mean and spread over permutations."""
    return (
        f"rank IC {values.mean():+.4f} after training on permuted labels, from {values.min():+.4f} "
        f"to {values.max():+.4f} over permutations"
    )


def detail_of(first: np.ndarray, second: np.ndarray, p: float, level: float) -> str:
    """What is left when test labels are permuted too, and what that means."""
    meaning = (
        "it reads labels of the test dates"
        if p <= level
        else "it brings an opinion along, but reads no test label"
    )
    return f"{spread_of(first)}; {second.mean():+.4f} once test labels are permuted too: {meaning}"
