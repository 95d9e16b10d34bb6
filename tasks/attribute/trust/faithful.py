"""Do the forecasts rest on the features that are called important?"""

from math import factorial

import numpy as np

from tasks.attribute.trust.check import Check, check
from tasks.attribute.trust.removal import Removal, losses, orders, steps

LEAST_ORDERS = 20
"""Orders of the features below which none can be in the best twentieth."""
ROUNDING = 1e-12
"""Rank IC below which two orders lose the same."""


def faithfulness(
    removal: Removal,
    importance: np.ndarray,
    target: np.ndarray | None = None,
    *,
    most_steps: int = 4,
    most_orders: int = 39,
    seed: int = 0,
) -> tuple[Check, Check]:
    """Comprehensiveness and sufficiency of a ranking of the features, in rank IC.

    Judged is the rank IC with the forecasts on the whole windows: what an attribution explains.
    What is lost of the rank IC with the realised ``target`` goes into the words only: there an
    honest attribution of a network that has learned nothing would fail.

    Random orders are the null. The difference to their mean is taken date by date, with Student's
    t over the dates; a check passes if its interval is above zero and its value within one
    standard error of the 95 % quantile of random orders. (Behind the leading features an order may
    be arbitrary, and then some random orders are as good. In simulations of linear forecasts the
    true order passed 79 of 80 times, without that error 73; random orders 1 in 9 and 1 in 14.)

    Args:
        removal: Cross-sections of dates and what removed features are replaced with.
        importance: (F,) larger is more.
        target: (B,) realised targets, NaN where unknown, or None.
        most_steps: Numbers of removed features over which the loss is averaged, at most.
        most_orders: Random orders.
        seed: Of the random orders.

    Returns:
        Comprehensiveness (more lost than at random when the first features go) and sufficiency
        (more kept than at random when all but the first go).

    Raises:
        ValueError: No importance for a feature, fewer than two features, or no date with three
            samples.
    """
    features = removal.inputs.shape[-1]
    if importance.shape != (features,) or not np.isfinite(importance).all():
        raise ValueError(
            f"faithfulness needs a finite importance of each of {features} features, shape "
            f"({features},); its shape is {importance.shape}"
        )
    own = np.argsort(-importance, kind="stable")
    random = orders(features, most_orders, np.random.default_rng(seed))
    counts = steps(features, most_steps)
    whole = removal.forecasts(np.zeros((1, features), dtype=bool))[0]
    references = [whole] if target is None else [whole, target]
    lost = losses(removal, references, np.stack([own, own[::-1], *random]), counts)
    lost = lost[:, :, np.isfinite(lost[0, 0])]
    if not lost.shape[2]:
        raise ValueError("rank ICs need a date with three samples at least; there is none")
    few = factorial(features) < LEAST_ORDERS
    first, rest = (f"{words} of the ranking" for words in ("the first", "all but the first"))
    return (
        judged("comprehensiveness", lost[:, 0], lost[:, 2:], 1, few, first),
        judged("sufficiency", lost[:, 1], lost[:, 2:], -1, few, rest),
    )


def judged(
    name: str, own: np.ndarray, random: np.ndarray, sign: int, few: bool, removed: str
) -> Check:
    """One of the two checks.

    Args:
        name: Of the check.
        own: (R, D) rank IC lost by the ranking with each reference; the first is judged.
        random: (R, M, D) the same of random orders.
        sign: 1 where losing more is better, -1 where keeping more is.
        few: Too few features to tell.
        removed: What is removed, in words.
    """
    better = sign * (own[0] - random[0].mean(0))
    value, error, interval = mean_interval(better)
    by_order = np.sort(sign * (random[0].mean(1) - random[0].mean()))
    mark = float(np.quantile(by_order, 0.95))
    detail = (
        f"without {removed} the forecasts' own order loses {own[0].mean():.2f} of rank IC 1, "
        f"without random features {random[0].mean():.2f}{realised(own, random)}"
    )
    dates = len(better)
    if few or dates < 2:
        why = "too few features" if few else "one date only"
        return check(name, value, mark, None, f"{why}: {detail}", interval)
    passed = interval[0] > ROUNDING and value + error >= mark - ROUNDING
    return check(name, value, mark, passed, f"{detail}; {dates} dates", interval)


def realised(own: np.ndarray, random: np.ndarray) -> str:
    """What is lost of the rank IC with the realised target, in words; empty without one."""
    if len(own) < 2 or not np.isfinite(own[1]).any():
        return ""
    lost, usual = np.nanmean(own[1]), np.nanmean(random[1])
    return f"; of the rank IC with the realised target {lost:.3f} and {usual:.3f}"


def mean_interval(daily: np.ndarray) -> tuple[float, float, tuple[float, float]]:
    """Mean of (D,) dates, its standard error and 95 % interval (Student's t); NaN below two."""
    mean = float(daily.mean())
    if len(daily) < 2:
        return mean, np.nan, (np.nan, np.nan)
    from scipy.special import stdtrit  # here: it is slow, and configurations are read first

    error = float(daily.std(ddof=1)) / float(np.sqrt(len(daily)))
    reach = float(stdtrit(len(daily) - 1, 0.975)) * error
    return mean, error, (mean - reach, mean + reach)
