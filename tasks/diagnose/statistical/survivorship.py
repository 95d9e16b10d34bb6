"""Survivorship: are symbols delisted as often as they should be?"""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import statistical_finding, unknown_finding

TEST, STAGE = "survivorship", "universe"
GRACE = 10
"""A symbol has ended if it has no row on the last 10 dates."""
YEAR = np.timedelta64(31_556_952, "s")
"""365.2425 days."""


def survivorship(data: pd.DataFrame, hazard: float | None, *, level: float = LEVEL) -> Finding:
    r"""Compare the number of symbols that end before the data end with a stated delisting rate.

    .. math:: p = P(X \le \text{endings}), \quad X \sim \text{Poisson}(\text{hazard} \times
        \text{symbol-years})

    Data of survivors contain too few endings. The data alone cannot show that: the result is
    UNKNOWN without a stated rate, and if even zero endings would not be significant.

    Args:
        data: Long rows with ``date`` and ``symbol``.
        hazard: Share of symbols delisted in a year (bankruptcy, merger, leaving the index), from
            another source; None if unknown.
        level: Of the test.

    Raises:
        ValueError: The hazard is not positive.
    """
    if hazard is not None and not hazard > 0:
        raise ValueError(
            f"hazard, the share of symbols delisted in a year, must be > 0; it is {hazard}"
        )
    ended, years = endings(data)
    rate = ended / years if years > 0 else float("nan")
    tested = f"{data['symbol'].nunique()} symbols, {years:.1f} symbol-years, {ended} ended"
    if hazard is None:
        reason = (
            f"{ended} of {data['symbol'].nunique()} symbols end before the data end; state the "
            "universe's delisting rate (hazard) to test whether that is too few"
        )
        return unknown_finding(TEST, STAGE, reason, tested, value=rate, counts=False)
    expected = hazard * years
    detail = (
        f"{ended} symbols ended; at a delisting rate of {hazard:g} a year, {expected:.1f} expected"
    )
    from scipy.special import pdtr  # here, because the import is slow

    if pdtr(0, expected) > level:
        reason = f"{detail}; too little data: even zero would not be significant at level {level:g}"
        return unknown_finding(TEST, STAGE, reason, tested, value=rate)
    p = float(pdtr(ended, expected))
    return statistical_finding(TEST, STAGE, rate, p, level, tested, detail)


def endings(data: pd.DataFrame) -> tuple[int, float]:
    """Number of symbols that end, and the symbol-years at risk, without the last 10 dates."""
    dates = np.sort(data["date"].unique())
    closing = dates[max(0, len(dates) - GRACE - 1)]
    span = data.groupby("symbol")["date"].agg(["min", "max"])
    lived = span["max"].clip(upper=closing) - span["min"]
    years = float((lived.to_numpy() / YEAR).clip(0).sum())
    return int((span["max"] < closing).sum()), years
