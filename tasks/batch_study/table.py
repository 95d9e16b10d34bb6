"""From one row per network to one row per cell: means over seeds with t intervals."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

CELL = ["panel", "normalization", "composition"]
SCORES = ("honest", "train_mode", "train_mode_dates")
MEASURES = (*SCORES, "gap", "gain")
"""Columns with a mean and an interval; gap and gain are paired within each seed."""


def _with_pairs(rows: pd.DataFrame, reference: str) -> pd.DataFrame:
    """The long table with two paired differences per seed.

    gap: the train-mode score less the honest one, same weights. gain: the honest score less that
    of ``reference`` on the same panel, seed and composition; NaN where that was not trained.
    """
    keys = ["panel", "composition", "seed"]
    plain = rows[rows["normalization"] == reference].set_index(keys)["honest"].rename("plain")
    out = rows.join(plain, on=keys)
    out["gap"] = out["train_mode"] - out["honest"]
    out["gain"] = out["honest"] - out["plain"]
    return out.drop(columns="plain")


def table_of(rows: pd.DataFrame, reference: str, level: float) -> pd.DataFrame:
    """One row per cell, in the order of ``rows``.

    Args:
        rows: One row per network: panel, normalization, composition and the fields of Scored.
        reference: The normalization with which the others are paired.
        level: Level of each single interval, two-sided.

    Returns:
        panel, normalization, composition, seeds, best_epoch (mean), chance (standard error of the
        mean without skill, for panels drawn per seed), and for each of MEASURES its mean,
        ``_low``, ``_high`` (mean ± t sd / sqrt(seeds)) and ``_p``, the two-sided p-value of zero;
        p is NaN for a measure that is the same in all seeds.
    """
    paired = _with_pairs(rows, reference)
    cells = paired.groupby(CELL, sort=False)
    return pd.DataFrame([_row(key, cell, level) for key, cell in cells])


def _row(key: tuple[object, ...], cell: pd.DataFrame, level: float) -> dict[str, object]:
    """One cell."""
    out: dict[str, object] = dict(zip(CELL, key, strict=True))
    out |= {"seeds": len(cell), "best_epoch": float(cell["best_epoch"].mean())}
    out |= {"chance": float((cell["chance"] ** 2).sum() ** 0.5) / len(cell)}
    for name in MEASURES:
        mean, half, p = interval(cell[name].to_numpy(dtype=np.float64), level)
        out |= {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half, f"{name}_p": p}
    return out


def interval(values: np.ndarray, level: float) -> tuple[float, float, float]:
    """Mean of (n,) values, half width of Student's interval, two-sided p-value of mean zero.

    Raises:
        ValueError: Fewer than two values.
    """
    from scipy import stats  # here: the import takes half a second

    n = len(values)
    if n < 2:
        raise ValueError(f"an interval over seeds needs at least 2 seeds; there is {n}")
    mean, error = float(values.mean()), float(values.std(ddof=1)) / n**0.5
    half = error * float(stats.t.ppf((1 + level) / 2, n - 1))
    if not error > 0:
        return mean, half, float("nan")
    return mean, half, float(2 * stats.t.sf(abs(mean) / error, n - 1))


def false_discovery(p: Iterable[float]) -> np.ndarray:
    """(k,) p-values adjusted as by Benjamini & Hochberg 1995; NaN stays NaN and is not counted.

    If cells with an adjusted p-value below q are named, an expected share of at most q of them is
    false, where the p-values are independent or positively dependent.
    """
    from scipy import stats  # here: the import takes half a second

    values = np.asarray([*p], dtype=np.float64)
    known = np.isfinite(values)
    values[known] = stats.false_discovery_control(values[known])
    return values
