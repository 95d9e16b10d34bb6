"""Whether any of many candidates beats a benchmark, and which do."""

from typing import NamedTuple

import numpy as np

from foldproof.tasks.compare.resampling import (
    check_dates,
    critical_value,
    mean_and_two_way_error,
    resampled,
    sample_of,
)
from foldproof.tasks.statistics.mean_test import ratio


class Superior(NamedTuple):
    """Candidates against one benchmark.

    Attributes:
        p: p-value of the hypothesis that no candidate has a gain (superior predictive ability).
        better: (V,) bool, the candidates with a gain, jointly at the level (step-wise test).
    """

    p: float
    better: np.ndarray


def superior(
    gains: np.ndarray,
    families: tuple[np.ndarray, ...],
    horizon: int,
    *,
    level: float,
    draws: int,
    seed: int,
) -> list[Superior]:
    r"""Superior predictive ability and the step-wise test, for each benchmark.

    The first is the test of Hansen (2005, Journal of Business & Economic Statistics 23),

    .. math:: T = \max_v (\bar x_v / s_v)^+, \quad
        T^* = \max_v ((\bar x^*_v - g_v) / s^*_v)^+, \quad
        g_v = \bar x_v \, [\bar x_v / s_v \ge -\sqrt{2 \log \log n}]

    whose p-value is the share of draws with T* at least T: candidates that are much worse than the
    benchmark do not count. The second is StepM (Romano & Wolf 2005, Econometrica 73): candidates
    beyond the level quantile of the largest deviation are better; the others are tested again
    without them, until none is added. As in the intervals, and unlike in arch, the error s is
    computed again in every draw, over seeds too if there are several.

    Args:
        gains: (D, V) daily rank ICs less a benchmark's, or (N, D, V) by seed.
        families: Columns of each benchmark.
        horizon: Rows that a label spans.
        level: Probability that no candidate without a gain is called better.
        draws: Bootstrap draws.
        seed: Seeds the draws.

    Raises:
        ValueError: Too few dates.
    """
    sample = sample_of(gains)
    days = len(sample.daily)
    check_dates(days, horizon)
    mean, error = mean_and_two_way_error(sample, horizon)
    t = ratio(mean, error)
    near = np.where(t >= -np.sqrt(2 * np.log(np.log(days))), mean, 0.0)
    drawn, recentred = np.empty((2, draws, len(t)))
    for row, one in enumerate(resampled(gains, horizon, draws=draws, seed=seed)):
        drawn_mean, drawn_error = mean_and_two_way_error(one, horizon)
        drawn[row] = ratio(drawn_mean - mean, drawn_error)
        recentred[row] = ratio(drawn_mean - near, drawn_error)
    return [
        Superior(
            float((recentred[:, own].max(axis=1).clip(0) >= max(0.0, t[own].max())).mean()),
            step_wise(t[own], drawn[:, own], level),
        )
        for own in families
    ]


def step_wise(t: np.ndarray, drawn: np.ndarray, level: float) -> np.ndarray:
    """(V,) bool: the ratios ``t`` beyond chance, by StepM.

    Args:
        t: (V,) means over errors.
        drawn: (draws, V) the same of the draws, about the means.
        level: Joint level.
    """
    better = np.zeros(len(t), dtype=bool)
    while not better.all():
        critical = critical_value(drawn[:, ~better].max(axis=1), level)
        added = ~better & (t > critical)
        if not added.any():
            break
        better |= added
    return better
