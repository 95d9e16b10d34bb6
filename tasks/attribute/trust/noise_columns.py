"""Columns of noise beside the real features: what is not above them is not believed."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, comb

import numpy as np
import pandas as pd

from foldproof.tasks.attribute.trust.catalogue import Check, check
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.data.panel.layout import fingerprint

PREFIX = "noise_"
"""Prefix of the names of the noise columns."""
MOST_PERSISTENT = 0.999
"""Autocorrelation beyond which noise would be a trend."""
LEVEL = 0.05
"""Chance that features of noise pass."""


def with_canaries(
    panel: Panel, count: int, seed: int, *, persistent: bool = True
) -> tuple[Panel, tuple[str, ...]]:
    """The panel with ``count`` more columns of Gaussian noise that look like its features.

    Canary k has mean, standard deviation and, if ``persistent``, autocorrelation from row to row
    within a symbol of feature k modulo F: noise on another scale, or that changes faster, would
    be told from the features by that alone. They are taken from all rows of the panel, and the
    noise knows nothing of any target. Every cell has a value, so a canary costs no sample.

    .. warning::

        Canaries are independent between symbols. A feature that all symbols share (an index, a
        calendar) is not imitated; nor are heavy tails.

    Args:
        panel: Read, not changed.
        count: k, columns to add.
        seed: Of the noise; it is part of the new fingerprint.
        persistent: AR(1) like the features, or white.

    Returns:
        A panel with a fingerprint of its own, to train units on afresh, and the new names.

    Raises:
        ValueError: No column asked for, or a feature already has such a name.
    """
    names = tuple(f"{PREFIX}{number}" for number in range(count))
    taken = sorted(set(names) & set(panel.features))
    if taken or not names:
        raise ValueError(
            f"1 canary or more, with new names; asked for {count}, already there: "
            f"{', '.join(taken) or 'none'}"
        )
    generator = np.random.default_rng(seed)
    models = np.arange(count) % len(panel.features)
    mean, sd, slope = looks(panel)
    noise = persistent_noise(
        generator, panel.member.shape, slope[models] if persistent else np.zeros(count)
    )
    added = (mean[models] + sd[models] * noise).astype(np.float32)
    values = np.concatenate([panel.values, added], axis=-1)
    values.flags.writeable = False
    decides = [panel.fingerprint, "canaries", count, seed, persistent]
    return (
        replace(
            panel,
            features=(*panel.features, *names),
            values=values,
            fingerprint=fingerprint(decides, [values]),
        ),
        names,
    )


def looks(panel: Panel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and autocorrelation (F,) of the features over members' cells.

    A feature without a value there is taken as 0 with spread 1; autocorrelations lie in
    [0, 0.999], 0 where a feature does not vary.
    """
    seen = np.where(panel.member[..., None], panel.values, np.nan).astype(np.float64)
    columns = [seen[..., k] for k in range(len(panel.features))]
    found = [column[np.isfinite(column)] for column in columns]
    mean = np.array([cells.mean() if cells.size else 0.0 for cells in found])
    sd = np.array([cells.std() if cells.size else 1.0 for cells in found])
    return mean, sd, np.array([persistence(column) for column in columns])


def persistence(column: np.ndarray) -> float:
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
    """(D, S, k) standard normal noise, AR(1) down the dates with ``slope`` (k,)."""
    noise = generator.standard_normal((*shape, len(slope)))
    fresh = np.sqrt(1 - slope**2)
    for day in range(1, len(noise)):
        noise[day] = slope * noise[day - 1] + fresh * noise[day]
    return noise


def believed(
    importance: pd.Series, injected: Sequence[str], quantile: float = 1.0
) -> tuple[pd.Series, float]:
    """Which real features matter more than the canaries' quantile, and that quantile.

    Args:
        importance: By feature, larger is more.
        injected: Names of the canaries among them.
        quantile: In (0, 1]; an importance of a canary, without interpolation. 1 is the largest.

    Raises:
        ValueError: No canary, one without importance, no real feature, or a quantile outside.
    """
    missing = [name for name in injected if name not in importance.index]
    if missing or not injected or not 0 < quantile <= 1 or len(importance) == len(injected):
        raise ValueError(
            "importance is needed of real features and of one canary at least, and a quantile in "
            f"(0, 1]; canaries: {', '.join(injected) or 'none'}; without importance: "
            f"{', '.join(missing) or 'none'}; {len(importance)} features, quantile {quantile:g}"
        )
    ordered = np.sort(importance[list(injected)].to_numpy(dtype=np.float64))
    bound = float(ordered[ceil(quantile * len(ordered)) - 1])
    return importance.drop(list(injected)) > bound, bound


def canaries(importance: pd.Series, injected: Sequence[str], quantile: float = 1.0) -> Check:
    """Whether more real features lie above the canaries than features of noise would.

    Were the real features noise too, every order of all columns would be as likely; that gives
    the exact chance of as many above. One strong feature among empty ones cannot be told from luck
    with a few canaries: the check says so, and 20 canaries per feature tell.

    Args:
        importance: By feature, larger is more.
        injected: Names of the canaries among them.
        quantile: As :func:`believed`.

    Raises:
        ValueError: As :func:`believed`.
    """
    above, bound = believed(importance, injected, quantile)
    count, real, noise = int(above.sum()), len(above), len(injected)
    beyond = noise - ceil(quantile * noise)
    needed = next(m for m in range(real + 2) if chance_above(m, real, noise, beyond) <= LEVEL)
    chance = chance_above(count, real, noise, beyond)
    doubted = [str(name) for name in above.index[~above]]
    words = (
        f"{count} of {real} features above {noise} canaries ({bound:.3g}), which noise reaches "
        f"with chance {chance:.2g}; not believed: {', '.join(doubted) or 'none'}"
    )
    passed = chance <= LEVEL or (None if count else False)
    return check("canaries", count / real, needed / real, passed, words)


def chance_above(count: int, real: int, noise: int, beyond: int) -> float:
    """Chance that ``count`` or more of exchangeable columns lie above a canary with rank.

    Args:
        count: Real features above, at least.
        real: Real features.
        noise: Canaries.
        beyond: Canaries above the one in question.
    """
    total = comb(real + noise, real)
    ways = sum(
        comb(above + beyond, above) * comb(real + noise - above - beyond - 1, real - above)
        for above in range(count, real + 1)
    )
    return ways / total
