"""Noise placebo: a forecaster that succeeds where there is nothing to find sees the future."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import statistical_finding, unknown_finding
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.statistical.noise_market import noise_twin, target_twin
from foldproof.tasks.diagnose.trace.run import BoundForecaster, Forecast
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.mean_test import MeanTest, mean_test, ratio, upper_tail
from foldproof.tasks.statistics.rank_ic import daily_rank_ic

TEST, STAGE = "noise_placebo", "scoring"
LEAST_PANELS = 5
"""Twins from which on their means are tested; below, the dates of their average."""
TargetOf = Callable[[pd.DataFrame], pd.Series]


def noise_placebo(
    forecast: Forecast,
    data: pd.DataFrame,
    fold: Fold,
    target_of: TargetOf,
    *,
    prices: tuple[str, ...] = (),
    others: tuple[str, ...] = (),
    target: str = "",
    horizon: int,
    panels: int = 1,
    seed: int = 0,
    level: float = LEVEL,
) -> Finding:
    """Train and forecast on twins of ``data`` without predictability; the mean rank IC must be 0.

    Two-sided: a rank IC far below zero uses the future as well, with the wrong sign.

    Args:
        forecast: As in :func:`~tasks.diagnose.audit_forecaster`; computes features and labels
            from the rows that it is given.
        data: Long rows with ``date`` and ``symbol``.
        fold: Its test dates are scored.
        target_of: From long rows to the target, a Series indexed (date, symbol).
        prices: Columns of a bar, the last the reference (:func:`~tasks.diagnose.twin.noise_twin`).
        others: Further positive columns that move.
        target: Instead of prices, a ready target column.
        horizon: Days that a target spans.
        panels: Twins; from 5 on, Student's t over their means; the whole forecaster runs on each.
        seed: Of the signs.
        level: Of the test.

    Raises:
        ValueError: Neither prices nor a target, or both; no panel.
    """
    if bool(prices) == bool(target) or panels < 1:
        raise ValueError(
            f"a twin is made of prices or of a ready target, and at least one; "
            f"prices: {prices or 'none'}, target: {target or 'none'}, panels: {panels}"
        )
    daily = []
    for panel in range(panels):
        generator = np.random.default_rng([seed, panel])
        twin = (
            noise_twin(data, prices, generator, others)
            if prices
            else target_twin(data, target, generator, horizon=horizon, border=fold.test_dates[0])
        )
        run, reason = attempt(partial(BoundForecaster(forecast, fold).run, twin))
        if run is None:
            return unknown_finding(
                TEST, STAGE, f"it fails on a twin: {reason}", f"{panel + 1} panels"
            )
        daily.append(daily_rank_ic(run.scores, target_of(twin)))
    return placebo_finding(pd.concat(daily, axis=1), horizon, level)


def placebo_finding(daily: pd.DataFrame, horizon: int, level: float = LEVEL) -> Finding:
    """The finding on daily rank ICs, one column a twin."""
    panels = daily.shape[1]
    found = (
        panel_test(daily.mean().to_numpy())
        if panels >= LEAST_PANELS
        else mean_test(daily.mean(axis=1).to_numpy(), horizon)
    )
    tested = f"{panels} twin{'s' * (panels > 1)} without predictability, {len(daily)} test dates"
    if np.isnan(found.p):
        reason = (
            f"{len(daily)} test dates are too few for labels over {horizon} days: lengthen the "
            f"test block or ask for {LEAST_PANELS} twins"
        )
        return unknown_finding(TEST, STAGE, reason, tested, value=found.mean)
    return statistical_finding(
        TEST, STAGE, found.mean, found.p, level, tested, detail_of(found, level)
    )


def panel_test(means: np.ndarray) -> MeanTest:
    """Student's t of the mean of independent ``means`` (M,) against zero, two-sided."""
    error = np.array([means.std(ddof=1) / np.sqrt(len(means))])
    t = ratio(means.mean(keepdims=True), error)[0]
    freedom = len(means) - 1
    p = 2 * upper_tail(abs(t), freedom)
    return MeanTest(float(means.mean()), float(error[0]), freedom, p)


def detail_of(found: MeanTest, level: float) -> str:
    """One sentence: what it reached, and what would have been seen."""
    if found.p > level:
        return (
            f"rank IC {found.mean:+.4f} where there is nothing to find; beyond "
            f"±{found.critical(level):.4f} it would be a leak"
        )
    wrong = "" if found.mean > 0 else ", and with the wrong sign"
    return (
        f"rank IC {found.mean:+.4f} ± {found.error:.4f} where there is nothing to find: "
        f"forecasts use the future{wrong}"
    )
