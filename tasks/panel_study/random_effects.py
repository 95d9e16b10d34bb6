"""Pool the estimates of several panels, whose true values may differ."""

from typing import NamedTuple

import numpy as np

from foldproof.tasks.statistics.mean_test import ROUNDING, MeanTest, upper_tail

LEAST_PREDICTED = 3
"""Panels below which no prediction interval is given."""


class RandomEffects(NamedTuple):
    """The mean over panels, and how much the true values differ between them.

    Attributes:
        test: Mean over all panels that might have been drawn, its standard error, and K - 1 degrees
            of freedom; no freedom for fewer than two panels.
        tau: Standard deviation of the true values between panels.
        i2: Share of the variance of the estimates that lies between panels, in [0, 1].
        panels: K, without those that give no error.
    """

    test: MeanTest
    tau: float
    i2: float
    panels: int

    def prediction(self, level: float) -> tuple[float, float]:
        """Two-sided interval of the true value on a new panel; NaN for fewer than three panels.

        Mean plus and minus t(K - 2) times the root of tau^2 + error^2 (Higgins, Thompson &
        Spiegelhalter 2009, Journal of the Royal Statistical Society A 172).
        """
        if self.panels < LEAST_PREDICTED:
            return float("nan"), float("nan")
        error = float(np.hypot(self.tau, self.test.error))
        return MeanTest(self.test.mean, error, self.panels - 2, 1.0).interval((1 - level) / 2)


def random_effects(means: np.ndarray, errors: np.ndarray) -> RandomEffects:
    r"""The mean of K estimates with known errors whose true values vary.

    .. math:: \hat\mu = \frac{\sum_k w_k y_k}{\sum_k w_k}, \quad w_k = \frac1{s_k^2 + \tau^2},
        \quad \sum_k w_k (y_k - \hat\mu)^2 = K - 1

    The last equation gives tau^2, or zero if the left side is smaller there already (Paule & Mandel
    1982, Journal of Research of the National Bureau of Standards 87). It does not assume a shape
    and is less biased for few panels than that of DerSimonian & Laird (Veroniki et al. 2016,
    Research Synthesis Methods 7). The interval is that of Hartung & Knapp (2001, Statistics in
    Medicine 20): Student's t with K - 1 degrees. Their factor on the variance of the mean is one
    where tau^2 is positive, and is not taken below one where it is zero (Roever, Knapp & Friede
    2015, BMC Medical Research Methodology 15).

    Estimates must be independent. Panels that share a market and years are not quite.

    An estimate without a finite error above zero has no weight, and is left out. The error is zero
    where two variants forecast the same; an error below 1e-12 of the largest is rounding.

    Args:
        means: (K,) estimates.
        errors: (K,) their standard errors.
    """
    weighable = usable(means, errors)
    means, errors = means[weighable], errors[weighable]
    count = len(means)
    if count < 2:
        mean, error = (float(one[0]) if count else np.nan for one in (means, errors))
        return RandomEffects(MeanTest(mean, error, 0, np.nan), np.nan, np.nan, count)
    q = spread(means, errors, 0.0)
    tau2 = between(means, errors)
    weights = 1 / (errors**2 + tau2)
    mean, error = float(weights @ means / weights.sum()), float(weights.sum() ** -0.5)
    p = 2 * upper_tail(abs(mean) / error, count - 1)
    return RandomEffects(
        MeanTest(mean, error, count - 1, p),
        tau=float(np.sqrt(tau2)),
        i2=max(0.0, 1 - (count - 1) / q) if q > 0 else 0.0,
        panels=count,
    )


def usable(means: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """(K,) bool: the finite estimates whose error is finite and not zero but for rounding."""
    known = np.isfinite(means) & np.isfinite(errors)
    largest = errors[known].max(initial=0.0)
    found: np.ndarray = known & (errors > ROUNDING * largest)
    return found


def spread(means: np.ndarray, errors: np.ndarray, tau2: float) -> float:
    """Weighted squared deviations from the mean, with the weights of ``tau2``; Q for 0."""
    weights = 1 / (errors**2 + tau2)
    return float(weights @ (means - weights @ means / weights.sum()) ** 2)


def between(means: np.ndarray, errors: np.ndarray) -> float:
    """The variance between panels, tau^2, by Paule & Mandel; 0 if the errors explain the spread."""
    from scipy.optimize import brentq

    def excess(tau2: float) -> float:
        return spread(means, errors, tau2) - (len(means) - 1)

    if excess(0.0) <= 0:
        return 0.0
    # beyond the sum of squares the spread is below one
    highest = float(((means - means.mean()) ** 2).sum())
    if excess(highest) >= 0:  # by rounding: the errors are tiny beside the spread
        return highest
    return float(brentq(excess, 0.0, highest, xtol=1e-18, rtol=1e-13))
