"""Noise columns beside the real features: features that do not rank above them are unreliable."""

from collections.abc import Sequence
from dataclasses import replace
from math import comb

import numpy as np
import pandas as pd

from foldproof.tasks.attribute.trust.catalogue import Check, check
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.data.panel.layout import fingerprint

PREFIX = "noise_"
"""Start of the names of the noise columns."""
MOST_PERSISTENT = 0.999
"""Largest autocorrelation; beyond it, noise would be a trend."""
LEVEL = 0.05
"""Chance that features of noise pass."""


def with_noise_columns(panel: Panel, count: int, seed: int) -> tuple[Panel, tuple[str, ...]]:
    """The panel with ``count`` more columns of Gaussian noise that resemble its features.

    Column k has mean, standard deviation and autocorrelation from row to row within a symbol of
    feature k modulo F: noise on another scale, or that changes faster, could be distinguished from
    the features by that alone. These moments are taken from all rows of the panel, but no target is
    used. Every cell has a value, so a noise column costs no sample.

    .. warning::

        Noise columns are independent between symbols. They do not imitate a feature that all
        symbols share (an index, a calendar), nor heavy tails.

    Args:
        panel: Not changed.
        count: k, columns to add.
        seed: Of the noise; it is part of the new fingerprint.

    Returns:
        A panel with a new fingerprint, to train new units on, and the new names.

    Raises:
        ValueError: ``count`` is below 1, or a feature already has such a name.
    """
    names = tuple(f"{PREFIX}{number}" for number in range(count))
    taken = sorted(set(names) & set(panel.features))
    if taken or not names:
        raise ValueError(
            f"noise columns: at least 1 with new names is needed; asked for {count}, already in "
            f"the panel: {', '.join(taken) or 'none'}"
        )
    generator = np.random.default_rng(seed)
    models = np.arange(count) % len(panel.features)
    mean, sd, slope = moments(panel)
    noise = persistent_noise(generator, panel.member.shape, slope[models])
    added = (mean[models] + sd[models] * noise).astype(np.float32)
    values = np.concatenate([panel.values, added], axis=-1)
    values.flags.writeable = False
    digest = fingerprint([panel.fingerprint, "noise columns", count, seed], [values])
    features = (*panel.features, *names)
    return replace(panel, features=features, values=values, fingerprint=digest), names


def moments(panel: Panel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and autocorrelation (F,) of the features over members' cells.

    A feature without a value has mean 0 and spread 1; autocorrelations lie in [0, 0.999], 0 where a
    feature does not vary.
    """
    cells = np.where(panel.member[..., None], panel.values, np.nan).astype(np.float64)
    columns = [cells[..., k] for k in range(len(panel.features))]
    known = [column[np.isfinite(column)] for column in columns]
    mean = np.array([values.mean() if values.size else 0.0 for values in known])
    sd = np.array([values.std() if values.size else 1.0 for values in known])
    return mean, sd, np.array([autocorrelation(column) for column in columns])


def autocorrelation(column: np.ndarray) -> float:
    """Correlation of (D, S) cells with the same symbol's next row, in [0, 0.999]."""
    now, following = column[:-1], column[1:]
    both = np.isfinite(now) & np.isfinite(following)
    x, y = now[both], following[both]
    if x.size < 2 or x.std() == 0 or y.std() == 0:
        return 0.0
    return float(np.clip(np.corrcoef(x, y)[0, 1], 0, MOST_PERSISTENT))


def persistent_noise(
    generator: np.random.Generator, shape: tuple[int, ...], slope: np.ndarray
) -> np.ndarray:
    """(D, S, k) standard normal noise, AR(1) along the dates with ``slope`` (k,)."""
    noise = generator.standard_normal((*shape, len(slope)))
    fresh = np.sqrt(1 - slope**2)
    for day in range(1, len(noise)):
        noise[day] = slope * noise[day - 1] + fresh * noise[day]
    return noise


def above_noise(importance: pd.Series, noise: Sequence[str]) -> tuple[pd.Series, float]:
    """Which real features rank above all noise columns, and the largest importance of these.

    Args:
        importance: By feature, larger is more.
        noise: Names of the noise columns among them.
    """
    bound = float(importance[list(noise)].to_numpy(dtype=np.float64).max())
    return importance.drop(list(noise)) > bound, bound


def noise_columns_check(importance: pd.Series, noise: Sequence[str]) -> Check:
    """Whether more real features rank above the noise columns than features of noise would.

    If the real features were noise too, every order of all columns would be equally likely, which
    gives the exact p-value of the count. With few noise columns, one strong feature among empty
    ones is not significant, and the check is inconclusive; 20 noise columns per feature are enough.

    Args:
        importance: By feature, larger is more.
        noise: Names of the noise columns among them.
    """
    above, bound = above_noise(importance, noise)
    count, real, columns = int(above.sum()), len(above), len(noise)
    needed = next(m for m in range(real + 2) if chance_above(m, real, columns) <= LEVEL)
    chance = chance_above(count, real, columns)
    doubtful = [str(name) for name in above.index[~above]]
    detail = (
        f"{count} of {real} features rank above the {columns} noise columns ({bound:.3g}; p = "
        f"{chance:.2g}); indistinguishable from noise: {', '.join(doubtful) or 'none'}"
    )
    passed = chance <= LEVEL or (None if count else False)
    return check("canaries", count / real, needed / real, passed, detail)


def chance_above(count: int, real: int, noise: int) -> float:
    """Chance that at least ``count`` of ``real`` exchangeable columns rank above all ``noise``."""
    ways = sum(comb(real + noise - above - 1, real - above) for above in range(count, real + 1))
    return ways / comb(real + noise, real)
