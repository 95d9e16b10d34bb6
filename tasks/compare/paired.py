"""Is one forecaster better than another: a one-sided test of a dependent daily difference.

scipy is imported where it is used: it takes a second, and a configuration does not need it.
"""

from dataclasses import dataclass

import numpy as np

from foldproof.tasks.statistics.mean_test import LEAST_DATES


@dataclass(frozen=True)
class Paired:
    """The mean of a daily difference and how sure it is.

    Attributes:
        gain: Mean difference.
        error: Its standard error; 0 where the difference does not vary.
        degrees: Degrees of freedom of its t.
        dates: Dates.
    """

    gain: float
    error: float
    degrees: int
    dates: int

    def above(self, least: float) -> float:
        """One-sided p of a true mean of at most ``least``; 1 where nothing varies to judge by."""
        from scipy.special import stdtr

        if not self.error > 0:
            return 1.0
        return float(stdtr(self.degrees, (least - self.gain) / self.error))

    def below(self, most: float) -> float:
        """One-sided p of a true mean of at least ``most``; 1 where nothing varies to judge by."""
        return Paired(-self.gain, self.error, self.degrees, self.dates).above(-most)

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided interval of the mean, each side at ``level``."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.degrees, 1 - level)) * self.error
        return self.gain - half, self.gain + half


def paired(difference: np.ndarray, horizon: int) -> Paired:
    r"""The mean of a daily difference with an error that survives overlapping labels.

    .. math:: s^2 = \frac{1}{\nu D} \sum_{k=1}^{\nu} \Big( \sqrt{2 / D} \sum_{t=1}^{D}
        x_t \cos \frac{\pi k (t - 1/2)}{D} \Big)^2

    and mean / s is Student's t with :math:`\nu` degrees of freedom: the equal-weighted cosine
    estimate of the long-run variance with :math:`\nu = 0.4 D^{2/3}` (Lazarus, Lewis, Stock & Watson
    2018, Journal of Business & Economic Statistics 36), and of no more cosines than leave each a
    period of eight horizons: what overlap smooths away lies beyond.

    .. warning::

        A Newey-West error with normal critical values rejects a true null of a daily rank IC of
        five-day labels on 40 to 60 dates in 11 to 15 % of cases instead of 5 %. A gate that is
        asked every week would promote by that error alone.

    Args:
        difference: (D,) one value a date, in time order.
        horizon: Rows that a label spans, at least 1.

    Raises:
        ValueError: Too few dates, or values that are not finite.
    """
    if len(difference) < LEAST_DATES or not np.isfinite(difference).all():
        raise ValueError(
            f"a paired test needs at least {LEAST_DATES} dates with finite differences; there are "
            f"{len(difference)}, {int(np.isfinite(difference).sum())} of them finite"
        )
    count, mean = len(difference), float(difference.mean())
    degrees = degrees_for(count, horizon)
    varies = difference.max() > difference.min()
    waves = cosines(count, degrees) @ (difference - mean)  # (degrees,)
    error = float(np.sqrt((waves**2).mean() / count)) if varies else 0.0
    return Paired(mean, error, degrees, count)


def degrees_for(dates: int, horizon: int) -> int:
    """Cosines of the estimate: 0.4 D^(2/3), at most D / (4 horizon), at least one."""
    return max(1, min(int(0.4 * dates ** (2 / 3)), dates // (4 * horizon)))


def cosines(dates: int, count: int) -> np.ndarray:
    """(count, dates) orthonormal cosines of 1/2, 1, 3/2 ... periods; each sums to 0."""
    middle = (np.arange(dates) + 0.5) / dates
    return np.sqrt(2 / dates) * np.cos(np.pi * np.outer(np.arange(1, count + 1), middle))
