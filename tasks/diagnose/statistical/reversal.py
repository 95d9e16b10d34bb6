"""Time reversal: do features correlate with future returns as strongly as with past ones?"""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS, LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import informational_finding, unknown_finding
from foldproof.tasks.diagnose.statistical.screen import daily_by_lag
from foldproof.tasks.statistics.mean_test import MeanTest, mean_test

TEST, STAGE = "time_reversal", "features"


def time_reversal(
    features: pd.DataFrame,
    past_return: pd.Series,
    future_return: pd.Series,
    horizon: int,
    *,
    level: float = LEVEL,
) -> tuple[Finding, pd.DataFrame]:
    """Compare each feature's rank IC with past returns and with future returns of equal length.

    Features are made from the past and correlate with it; with the future they correlate little. A
    feature with similar correlations of equal sign looks like a moving average centred on its
    date. A weak feature may look so by chance or honestly: the test only informs.

    Args:
        features: Indexed (date, symbol); only numeric columns are used.
        past_return: Indexed (date, symbol), over the ``horizon`` dates that end with the date.
        future_return: The same over the ``horizon`` dates after the date.
        horizon: Dates that a return spans.
        level: A feature is compared if its rank IC with future returns is significant at ``level``
            divided by the number of features (Bonferroni).

    Returns:
        The finding, with the largest share among the compared features; and ``past``, ``future``
        and ``share`` by feature.
    """
    frame = features.select_dtypes("number")
    both = [daily_by_lag(frame, goal, 0) for goal in (past_return, future_return)]
    pairs = {
        name: tuple(mean_test(daily[name][np.isfinite(daily[name])], horizon) for daily in both)
        for name in both[0]
    }
    table = pd.DataFrame.from_dict(
        {
            name: (past.mean, future.mean, share(past, future))
            for name, (past, future) in pairs.items()
        },
        orient="index",
        columns=["past", "future", "share"],
    ).rename_axis("feature")
    tested = f"{len(table)} features, returns over {horizon} days"
    predictive = [name for name, (_, future) in pairs.items() if future.p * len(pairs) <= level]
    if not predictive:
        reason = "no feature has a significant rank IC with future returns"
        return unknown_finding(TEST, STAGE, reason, tested, counts=False), table
    top = table.loc[predictive].sort_values("share", ascending=False).iloc[0]
    detail = (
        f"{top.name}: rank IC {top['past']:+.3f} with past and {top['future']:+.3f} with future "
        "returns"
    )
    value = float(top["share"])
    symptom = value > DIAGNOSTICS[TEST].threshold
    return informational_finding(TEST, STAGE, value, symptom, tested, detail), table


def share(past: MeanTest, future: MeanTest) -> float:
    """The smaller absolute mean over the larger; 0 if they differ in sign."""
    if not past.mean * future.mean > 0:
        return 0.0
    low, high = np.sort(np.abs([past.mean, future.mean]))
    return float(low / high)
