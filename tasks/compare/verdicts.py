"""Each variant against the reference: better, worse, equivalent or undecided."""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import pandas as pd

from foldproof.tasks.compare.resampling import two_way_test, usual_seed_variance
from foldproof.tasks.statistics.holm import holm
from foldproof.tasks.statistics.mean_test import MeanTest

POWER = 0.8
"""Probability with which the detectable gain would be found."""


class Against(StrEnum):
    """A variant's rank IC against that of the reference, allowing for all variants at once."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


def verdicts(
    gains: Mapping[str, np.ndarray], horizon: int, *, margin: float, level: float
) -> pd.DataFrame:
    """The verdict on each entry of ``gains``, and the gain that the data could show.

    Two statements are tested for each entry with
    :func:`~foldproof.tasks.compare.resampling.two_way_test`: its mean differs from zero (two
    sides), and its mean lies within the margin (two one-sided tests, Schuirmann 1987, Journal of
    Pharmacokinetics and Biopharmaceutics 15). Holm's step-down procedure (1979, Scandinavian
    Journal of Statistics 6) over all of these p-values keeps the probability of any false statement
    below 1 - ``level``. A difference that is significant but within the margin is equivalent.

    Args:
        gains: By variant, (D,) daily rank ICs less the reference's in time order, or (N, D) by
            seed.
        horizon: Rows that a label spans.
        margin: Largest difference in mean rank IC that does not matter.
        level: Joint level over all statements.

    Returns:
        By entry of ``gains``: against (a value of :class:`Against`), p of no difference and
        p_equivalent of a difference beyond the margin, both adjusted, and detectable: the gain that
        a test of this entry alone, at the level divided by V, finds with probability 0.8.
    """
    return verdicts_of(gain_tests(gains, horizon), margin=margin, level=level)


def gain_tests(gains: Mapping[str, np.ndarray], horizon: int) -> dict[str, MeanTest]:
    """The test of each entry of ``gains``, (D,) or (N, D) by seed, as in :func:`verdicts`."""
    least = usual_seed_variance(gains.values())
    return {name: two_way_test(one, horizon, least) for name, one in gains.items()}


def verdicts_of(found: Mapping[str, MeanTest], *, margin: float, level: float) -> pd.DataFrame:
    """The table of :func:`verdicts` from a test of each mean; undecided without freedom."""
    tests = [*found.values()]
    different = np.array([one.p for one in tests])
    within = np.array([max(one.above(-margin), one.below(margin)) for one in tests])
    adjusted = holm(np.concatenate([different, within])).reshape(2, -1)
    alpha = 1 - level
    said = [
        Against.EQUIVALENT if equivalent < alpha
        else Against.UNDECIDED if not p < alpha
        else Against.BETTER if one.mean > 0
        else Against.WORSE
        for one, p, equivalent in zip(tests, *adjusted, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(
        {
            "against": [str(one) for one in said],
            "p": adjusted[0],
            "p_equivalent": adjusted[1],
            "detectable": [detectable(one, alpha / max(1, len(tests))) for one in tests],
        },
        index=[*found],
    )


def detectable(test: MeanTest, level: float) -> float:
    """The mean that a two-sided test at ``level`` finds with probability 0.8; NaN if untested."""
    from scipy.special import stdtrit

    if not test.freedom:
        return float("nan")
    return test.critical(level) + float(stdtrit(test.freedom, POWER)) * test.error
