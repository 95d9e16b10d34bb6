"""Delay curve: how much rank IC is left when a forecast is used days late."""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS, LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import informational_finding, unknown_finding
from foldproof.tasks.statistics.mean_test import mean_test
from foldproof.tasks.statistics.rank_ic import rank_correlation

TEST, STAGE = "delay_curve", "scoring"


def delay_curve(
    scores: pd.Series, target: pd.Series, horizon: int, *, delays: int = 5, level: float = LEVEL
) -> tuple[Finding, pd.Series]:
    r"""Rank IC of the scores of date d with the target of date d + k, for k = 0..delays.

    It is a symptom if the first day's delay costs more than the scores' own change explains:

    .. math:: IC(1) < \tfrac12 \rho \, IC(0)

    significantly (one-sided, over dates), with the rank autocorrelation rho of the scores from
    date to date. A forecast that contains the first day's return decays like this, but so does an
    honest signal that lives for one day: the test only informs.

    Args:
        scores: Indexed (date, symbol).
        target: Indexed (date, symbol), including the dates after those of the scores.
        horizon: Dates that a target spans.
        delays: Longest delay in dates.
        level: Of the test for a cliff.

    Returns:
        The finding, and the mean daily rank IC by delay.

    Raises:
        ValueError: ``delays`` is below 1.
    """
    if delays < 1:
        raise ValueError(f"delays must be at least 1; it is {delays}")
    goal = target.unstack(level=1).sort_index()
    wide = scores.unstack(level=1).reindex(index=goal.index, columns=goal.columns)
    given = wide.to_numpy(dtype=np.float64)
    daily = np.stack(
        [rank_correlation(given, goal.shift(-k).to_numpy()) for k in range(delays + 1)], axis=1
    )
    daily = daily[np.isfinite(daily).all(axis=1)]
    own = rank_correlation(given, wide.shift(-1).to_numpy(dtype=np.float64))
    persistence = np.clip(np.nanmean(own), 0, 1) if np.isfinite(own).any() else 1.0
    return curve_finding(daily, persistence, horizon, level)


def curve_finding(
    daily: np.ndarray, persistence: float, horizon: int, level: float
) -> tuple[Finding, pd.Series]:
    """The finding on daily rank ICs (D, delays + 1) of scores of this rank autocorrelation."""
    tested = f"{len(daily)} dates, delays of 0 to {daily.shape[1] - 1} days"
    curve = pd.Series(
        daily.mean(axis=0) if len(daily) else np.nan,
        name="rank_ic",
        index=pd.RangeIndex(daily.shape[1], name="delay"),
    )
    in_time = mean_test(daily[:, 0], horizon, two_sided=False)
    if not in_time.p <= level:
        reason = "its rank IC in time is not significantly above zero: there is nothing to decay"
        return unknown_finding(TEST, STAGE, reason, tested, counts=False), curve
    least = DIAGNOSTICS[TEST].threshold * persistence
    lost = mean_test(least * daily[:, 0] - daily[:, 1], horizon, two_sided=False)
    left = float(curve[1] / curve[0])
    detail = (
        f"rank IC {curve[0]:+.3f} in time, {curve[1]:+.3f} a day late: {left:.0%} is left; the "
        f"scores' rank autocorrelation is {persistence:.2f}"
    )
    return informational_finding(TEST, STAGE, left, lost.p <= level, tested, detail), curve
