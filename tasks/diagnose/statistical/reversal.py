"""Time reversal: do features know the future as they know the past?"""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS, LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import informational_finding, unknown_finding
from foldproof.tasks.diagnose.statistical.screen import daily_by_lag, indexed
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
    """Compare each feature's rank IC with past returns to that with future ones of the same length.

    Features are made of the past, and know it well; the future they know little. One that knows
    both alike and in the same sense looks like a smooth centred on its date. Weak features may do
    so by chance or honestly: it informs.

    Args:
        features: Indexed (date, symbol), or long with these columns.
        past_return: Indexed (date, symbol), over the ``horizon`` dates that end with the date.
        future_return: The same over the dates that begin after it.
        horizon: Dates that a return spans.
        level: A feature is looked at where its rank IC with the future is significant at ``level``
            over the number of features (Bonferroni).

    Returns:
        The finding, with the largest share among features that know the future; and ``past``,
        ``future`` and ``share`` by feature.
    """
    frame = indexed(features)
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
    known = [name for name, (_, future) in pairs.items() if future.p * len(pairs) <= level]
    if not known:
        reason = "no feature has a rank IC with future returns that stands out from zero"
        return unknown_finding(TEST, STAGE, reason, tested, counts=False), table
    top = table.loc[known].sort_values("share", ascending=False).iloc[0]
    detail = (
        f"{top.name}: rank IC {top['past']:+.3f} with the past and {top['future']:+.3f} with the "
        "future"
    )
    value = float(top["share"])
    symptom = value > DIAGNOSTICS[TEST].threshold
    return informational_finding(TEST, STAGE, value, symptom, tested, detail), table


def share(past: MeanTest, future: MeanTest) -> float:
    """The smaller mean as a share of the larger; 0 where they differ in sign."""
    if not past.mean * future.mean > 0:
        return 0.0
    low, high = np.sort(np.abs([past.mean, future.mean]))
    return float(low / high)
