"""Noise features: which real features matter less than injected noise?"""

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy.signal import lfilter

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import informational_finding

TEST, STAGE = "noise_features", "attribution"
PREFIX = "noise_"
"""Begins the names of injected features."""


def with_noise(
    features: pd.DataFrame, count: int, generator: Generator
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Features and ``count`` more that hold standard normal noise, as persistent as the real ones.

    Each is AR(1) within a symbol, with the median over features of the autocorrelation from row
    to row: noise that changed faster would be told from features by that alone.

    Args:
        features: Indexed (date, symbol), or long with these columns; numeric besides.
        count: Columns to inject.
        generator: Source of the noise.

    Returns:
        A new table with the same rows, and the names of the new columns.

    Raises:
        ValueError: No column asked for, or a feature already has such a name.
    """
    names = tuple(f"{PREFIX}{number}" for number in range(count))
    taken = [name for name in names if name in features]
    if taken or not names:
        raise ValueError(
            f"1 noise feature or more, with new names; asked for {count}, "
            f"already there: {', '.join(taken) or 'none'}"
        )
    date, symbol = keys_of(features)
    order = np.lexsort((date, symbol))
    real = features.drop(columns=["date", "symbol"], errors="ignore").select_dtypes("number")
    slope = persistence(real.iloc[order], symbol[order])
    noise = generator.standard_normal((len(features), count))
    for rows in np.split(order, np.flatnonzero(np.diff(symbol[order])) + 1):
        noise[rows[1:]] *= np.sqrt(1 - slope**2)
        noise[rows] = lfilter([1.0], [1.0, -slope], noise[rows], axis=0)
    return features.assign(**dict(zip(names, noise.T, strict=True))), names


def keys_of(features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(n,) dates, and (n,) numbers that stand for the symbols."""
    keys = features.reset_index() if features.index.nlevels == 2 else features
    return keys["date"].to_numpy(), pd.factorize(keys["symbol"])[0]


def persistence(rows: pd.DataFrame, symbol: np.ndarray) -> float:
    """Median over features of the autocorrelation from a symbol's row to its next, in [0, 0.999].

    ``rows`` are sorted by symbol and date.
    """
    before = rows.groupby(symbol).shift()
    slopes = [rows[name].corr(before[name]) for name in rows if rows[name].std() > 0]
    known = [slope for slope in slopes if np.isfinite(slope)]
    return float(np.clip(np.median(known), 0, 0.999)) if known else 0.0


def noise_features(importance: pd.Series, injected: tuple[str, ...]) -> Finding:
    """Count the real features whose importance is not above that of the best injected one.

    Args:
        importance: By feature, larger is more.
        injected: Names of the noise features among them.

    Raises:
        ValueError: No injected feature, or one without importance.
    """
    missing = [name for name in injected if name not in importance.index]
    if missing or not injected:
        raise ValueError(
            f"importance is needed of each injected feature, one at least; injected: "
            f"{', '.join(injected) or 'none'}; without importance: {', '.join(missing) or 'none'}"
        )
    best = float(importance[list(injected)].max())
    real = importance.drop(list(injected))
    below = real[~(real > best)].sort_values(ascending=False)
    detail = (
        f"no more than noise ({best:.3g}): {', '.join(map(str, below.index))}"
        if len(below)
        else f"all matter more than noise ({best:.3g})"
    )
    tested = f"{len(real)} features against {len(injected)} of noise"
    symptom = len(below) > DIAGNOSTICS[TEST].threshold
    return informational_finding(TEST, STAGE, float(len(below)), symptom, tested, detail)
