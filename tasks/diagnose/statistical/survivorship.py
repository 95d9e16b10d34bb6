"""Survivorship: do as many symbols end as symbols do end?"""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import statistical_finding, unknown_finding

TEST, STAGE = "survivorship", "universe"
GRACE = 10
"""A symbol has ended if it has no row on this many last dates."""
YEAR = np.timedelta64(31_556_952, "s")
"""365.2425 days."""


def survivorship(data: pd.DataFrame, hazard: float | None, *, level: float = LEVEL) -> Finding:
    r"""Compare the symbols that end before the data do with a stated hazard.

    .. math:: p = P(X \le \text{endings}), \quad X \sim \text{Poisson}(\text{hazard} \times
        \text{symbol-years})

    Data of those that survived hold too few endings. Data alone cannot show that: without a hazard
    it is unknown, and where even no ending at all would be no evidence as well.

    Args:
        data: Long rows with ``date`` and ``symbol``.
        hazard: Share of symbols that end in a year (delisting, merger, leaving the index), as known
            for the universe from elsewhere; None if it is not.
        level: Of the test.

    Raises:
        ValueError: A hazard that is not positive.
    """
    if hazard is not None and not hazard > 0:
        raise ValueError(f"hazard is the share of symbols that end in a year, > 0; it is {hazard}")
    ended, years = endings(data)
    rate = ended / years if years > 0 else float("nan")
    tested = f"{data['symbol'].nunique()} symbols, {years:.1f} symbol-years, {ended} ended"
    if hazard is None:
        reason = (
            f"{ended} of {data['symbol'].nunique()} symbols end before the data do; whether that "
            "is too few, only a hazard stated from elsewhere can tell"
        )
        return unknown_finding(TEST, STAGE, reason, tested, value=rate, counts=False)
    expected = hazard * years
    detail = f"{ended} symbols ended; a hazard of {hazard:g} a year lets expect {expected:.1f}"
    from scipy.special import pdtr  # here: it is slow, and configurations are read first

    if pdtr(0, expected) > level:
        reason = f"{detail}: even none would be no evidence at level {level:g}"
        return unknown_finding(TEST, STAGE, reason, tested, value=rate)
    p = float(pdtr(ended, expected))
    return statistical_finding(TEST, STAGE, rate, p, level, tested, detail)


def endings(data: pd.DataFrame) -> tuple[int, float]:
    """Symbols that end, and the symbol-years in which they could have: up to the grace period."""
    dates = np.sort(data["date"].unique())
    closing = dates[max(0, len(dates) - GRACE - 1)]
    span = data.groupby("symbol")["date"].agg(["min", "max"])
    lived = span["max"].clip(upper=closing) - span["min"]
    years = float((lived.to_numpy() / YEAR).clip(0).sum())
    return int((span["max"] < closing).sum()), years
