"""Planted signals that one family of normalizations shows and the others hide.

Each panel has ready-made features f0, f1, ... in raw units. The signal is the product of f0 and f1,
each in the units of a family of normalizations; the other features carry none. In other units
little of the product is left, so a comparison that works ranks the stated family first:

======  ====================================  ========================================
source  f0 and f1 count as                    family
======  ====================================  ========================================
levels  a stock's level, and a date's level   pooled statistics: zscore, none
ranks   ranks among the date's stocks         statistics of the date: cs_rank
shocks  multiples of the stock's own scale    statistics of the stock: rolling_zscore,
                                              volatility_scaled
======  ====================================  ========================================
"""

import numpy as np

from foldproof.tasks.data.rows import Rows
from foldproof.tasks.data.spec import DataSpec, SyntheticSpec
from foldproof.tasks.data.synthetic.planted import RETURN_UNIT, draw_features, labelled
from foldproof.tasks.statistics.rank_ic import rank_correlation

CENTRE = 2.0
"""Mean of a feature of ``levels``; levels have variance 1 around it."""
WOBBLE = 0.1
"""Standard deviation of a feature of ``levels`` from day to day around its level."""
DATE_SHIFT, DATE_SCALE, TAILS = 3.0, 0.5, 1.5
"""Of a feature of ``ranks``: standard deviation over dates of its mean and of the logarithm of its
scale, and the factor before the hyperbolic sine that makes its tails heavy."""
OWN_SCALE, DRIFT, MEMORY, SHOCK = 1.5, 0.3, 0.99, 0.5
"""Of the logarithm of a feature of ``shocks``: standard deviation of a stock's lasting scale, that
of the scale's drift, the drift's autocorrelation, and the standard deviation of a day's shock."""


def levels(spec: DataSpec) -> Rows:
    """The signal is f0, a stock's lasting level, times f1, the level of the date for all stocks.

    Both count from ``CENTRE``. Statistics of the date remove f1, and those of the stock's own
    history remove f0; the other factor alone forecasts nothing. ``persistence`` is the
    autocorrelation of f1.
    """
    size, generator = spec.synthetic, np.random.default_rng(spec.synthetic.seed)
    level = generator.standard_normal((1, size.symbols, size.n_features)).repeat(size.days, axis=0)
    common = SyntheticSpec(size.days, 2, 4, persistence=size.persistence)
    level[:, :, 1] = draw_features(generator, common, size.days)[:, :1, 0]
    features = level + WOBBLE * generator.standard_normal(level.shape)
    return rows_of(spec, generator, CENTRE + features, features / np.sqrt(1 + WOBBLE**2))


def ranks(spec: DataSpec) -> Rows:
    """The signal is the product of the ranks of f0 and f1 among the date's stocks, 0 in the middle.

    A feature's mean and scale change from date to date and its tails are heavy, so that a value
    means nothing without the other stocks of its date.
    """
    size, generator = spec.synthetic, np.random.default_rng(spec.synthetic.seed)
    drawn = draw_features(generator, size, size.days)
    shape = (size.days, 1, size.n_features)
    mean = DATE_SHIFT * generator.standard_normal(shape)
    scale = np.exp(DATE_SCALE * generator.standard_normal(shape))
    places = drawn.argsort(axis=1).argsort(axis=1)
    uniform = (places - (size.symbols - 1) / 2) / np.sqrt((size.symbols**2 - 1) / 12)
    return rows_of(spec, generator, mean + scale * np.sinh(TAILS * drawn), uniform)


def shocks(spec: DataSpec) -> Rows:
    """The signal is the product of the day's shocks to f0 and f1, relative to the own scale.

    A feature is positive, as volume is: x = scale exp(shock). Scales differ between stocks by more
    than shocks do, and drift over months, so that only the stock's own history shows a shock.
    """
    size, generator = spec.synthetic, np.random.default_rng(spec.synthetic.seed)
    drawn = draw_features(generator, size, size.days)
    lasting = generator.standard_normal((1, size.symbols, size.n_features))
    slow = SyntheticSpec(size.days, size.symbols, size.n_features, persistence=MEMORY)
    drift = draw_features(generator, slow, size.days)
    features = np.exp(OWN_SCALE * lasting + DRIFT * drift + SHOCK * drawn)
    return rows_of(spec, generator, features, drawn)


def rows_of(
    spec: DataSpec, generator: np.random.Generator, features: np.ndarray, units: np.ndarray
) -> Rows:
    """Long rows, with the true information coefficient and the rank IC of the best forecast.

    Args:
        spec: The settings of the panel.
        generator: Draws the noise of the target.
        features: (D, S, F) raw features.
        units: (D, S, F) the same in the units of the family, with mean 0 and variance 1.
    """
    signal = RETURN_UNIT * spec.synthetic.signal * units[:, :, 0] * units[:, :, 1]
    frame = labelled(generator, spec.synthetic, features, signal)
    daily = rank_correlation(signal, frame["target"].to_numpy().reshape(signal.shape))[:-1]
    about = {"information_coefficient": spec.synthetic.signal}
    if np.isfinite(daily).all():  # not with two symbols
        about["best_rank_ic"] = float(daily.mean())
    return Rows(frame, f"the synthetic source {spec.source}", about=about)
