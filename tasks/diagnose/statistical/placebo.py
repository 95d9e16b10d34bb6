"""Noise placebo: a forecaster that succeeds on unpredictable returns uses the future."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import statistical_finding, unknown_finding
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.statistical.noise_market import noise_market
from foldproof.tasks.diagnose.trace.run import BoundForecaster, Forecast
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.mean_test import MeanTest, mean_test, ratio, upper_tail
from foldproof.tasks.statistics.rank_ic import daily_rank_ic

TEST, STAGE = "noise_placebo", "scoring"
LEAST_PANELS = 5
"""Data sets from which their means are tested; with fewer, the dates of their average are."""
TargetOf = Callable[[pd.DataFrame], pd.Series]


def noise_placebo(
    forecast: Forecast,
    data: pd.DataFrame,
    fold: Fold,
    target_of: TargetOf,
    *,
    prices: tuple[str, ...],
    horizon: int,
    panels: int = 1,
    seed: int = 0,
    level: float = LEVEL,
) -> Finding:
    """Train and forecast on unpredictable copies of ``data``; the mean rank IC must be 0.

    The test is two-sided: a rank IC far below zero uses the future with the wrong sign.

    Args:
        forecast: As in :func:`~foldproof.tasks.diagnose.audit_forecaster`; computes features and
            labels from the rows that it is given.
        data: Long rows with ``date`` and ``symbol``.
        fold: Its test dates are scored.
        target_of: Long rows -> the target, indexed (date, symbol).
        prices: Columns of a bar, the last the reference, see
            :func:`~foldproof.tasks.diagnose.statistical.noise_market.noise_market`.
        horizon: Days that a target spans.
        panels: Number of noise data sets. The whole forecaster runs on each. From 5 on, Student's
            t tests their means.
        seed: Of the signs.
        level: Of the test.

    Raises:
        ValueError: No price column, or no data set asked for.
    """
    if not prices or panels < 1:
        raise ValueError(
            f"at least one price column and one noise data set are needed; prices: "
            f"{prices or 'none'}, panels: {panels}"
        )
    daily = []
    for panel in range(panels):
        noise = noise_market(data, prices, np.random.default_rng([seed, panel]))
        run, reason = attempt(partial(BoundForecaster(forecast, fold).run, noise))
        if run is None:
            reason = f"it fails on a noise data set: {reason}"
            return unknown_finding(TEST, STAGE, reason, f"{panel + 1} noise data sets")
        daily.append(daily_rank_ic(run.scores, target_of(noise)))
    return placebo_finding(pd.concat(daily, axis=1), horizon, level)


def placebo_finding(daily: pd.DataFrame, horizon: int, level: float = LEVEL) -> Finding:
    """The finding on daily rank ICs, one column per noise data set."""
    panels = daily.shape[1]
    found = (
        panel_test(daily.mean().to_numpy())
        if panels >= LEAST_PANELS
        else mean_test(daily.mean(axis=1).to_numpy(), horizon)
    )
    tested = f"{panels} noise data set{'s' * (panels > 1)}, {len(daily)} test dates"
    if np.isnan(found.p):
        reason = (
            f"{len(daily)} test dates are too few for labels over {horizon} days: lengthen the "
            f"test block or ask for {LEAST_PANELS} noise data sets"
        )
        return unknown_finding(TEST, STAGE, reason, tested, value=found.mean)
    detail = _detail(found, level)
    return statistical_finding(TEST, STAGE, found.mean, found.p, level, tested, detail)


def panel_test(means: np.ndarray) -> MeanTest:
    """Two-sided Student's t test of the mean of independent ``means`` (M,) against zero."""
    error = np.array([means.std(ddof=1) / np.sqrt(len(means))])
    t = ratio(means.mean(keepdims=True), error)[0]
    freedom = len(means) - 1
    p = 2 * upper_tail(abs(t), freedom)
    return MeanTest(float(means.mean()), float(error[0]), freedom, p)


def _detail(found: MeanTest, level: float) -> str:
    """The rank IC in one sentence, with the smallest one that would be significant."""
    if found.p > level:
        return (
            f"rank IC {found.mean:+.4f} on unpredictable returns; it would be significant beyond "
            f"±{found.critical(level):.4f}"
        )
    wrong = "" if found.mean > 0 else ", with the wrong sign"
    return (
        f"rank IC {found.mean:+.4f} ± {found.error:.4f} on unpredictable returns: "
        f"forecasts use the future{wrong}"
    )
