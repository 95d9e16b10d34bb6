"""Prices whose returns repeat in part on the next day, and features of recent returns.

The label of day d is the return from the close of d to the next close: the newest input of the
window that ends on d + 1. It cannot be traded, but most published code forecasts it, and it
exposes what happens when consecutive windows share batch statistics.
"""

import numpy as np
import pandas as pd

from foldproof.tasks.data.features.features import price_features
from foldproof.tasks.data.rows import Rows
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.data.synthetic.planted import long_frame, with_next_day

FACTOR, OWN = 0.007, 0.012
"""Daily standard deviation of the common factor and of a stock's idiosyncratic return."""
BETAS = (0.5, 1.5)
"""Range of the exposures to the common factor; they are uniform."""
UNITS = {"return_1": 100.0, "return_5": 100.0, "beta_63": 1.0}
"""The features of :func:`recent` and the factors that scale them to about one."""


def echo(spec: DataSpec) -> Rows:
    """Prices with own[d] = signal own[d-1] + sqrt(1 - signal^2) e[d]; simple returns.

    r = beta m + own, with m and e normal and independent. With signal 0 every return is a
    martingale difference and nothing can be forecast. Otherwise ``signal`` is the autocorrelation
    of a stock's idiosyncratic return. It is also the true information coefficient across stocks,
    up to a small effect of the betas; the rank IC is 6 / pi asin(signal / 2).
    """
    size = spec.synthetic
    generator = np.random.default_rng(size.seed)
    market = FACTOR * generator.standard_normal((size.days, 1))
    betas = generator.uniform(*BETAS, (1, size.symbols))
    own = OWN * generator.standard_normal((size.days, size.symbols))
    for day in range(1, size.days):
        own[day] = size.signal * own[day - 1] + np.sqrt(1 - size.signal**2) * own[day]
    returns = np.clip(betas * market + own, -0.5, 0.5)
    following = np.vstack([returns[1:], np.full((1, size.symbols), np.nan)])
    prices = 100 * np.cumprod(1 + returns, axis=0)
    frame = with_next_day(long_frame({"price": prices, "target": following}, size), size)
    about = {
        "truth": {"return_1": {0: size.signal}} if size.signal else {},
        "information_coefficient": size.signal,
    }
    return Rows(frame, "the synthetic source echo", about=about)


def recent(frame: pd.DataFrame) -> pd.DataFrame:
    """A stock's last return, its five-day return and its beta: few features, short memory.

    Args:
        frame: Long rows: date, symbol, price.

    Returns:
        Features on the same rows, returns in percent; NaN until the look-back of 64 rows is full.
    """
    return price_features(frame, fill_limit=0, names=UNITS) * pd.Series(UNITS)
