"""Where the variance of daily rank ICs lies: dates, variants, folds, seeds."""

import numpy as np
import pandas as pd

from foldproof.tasks.statistics.mean_test import frequencies, mean_and_error

COMPONENTS = {
    "date": "date, the same for all variants",
    "variant": "variant",
    "fold x variant": "variant within a fold",
    "seed": "seed within a fold and variant",
    "variant x date": "variant on a date, the same for all seeds",
    "residual": "seed and variant on a date",
}
"""Components with their meanings."""


def variance_components(daily: np.ndarray, folds: np.ndarray, horizon: int) -> pd.DataFrame:
    r"""Components of the variance of rank ICs, by the method of moments.

    .. math:: x_{vsd} = \mu + D_d + A_v + G_{vf} + U_{vsf} + W_{vd} + R_{vsd}

    for variant v, seed s and date d of fold f: each mean square of the nested analysis of variance
    equals its expected value. Labels overlap, so W and R depend on each other over dates. What they
    add to means over dates is therefore the squared low-frequency error of
    :func:`~foldproof.tasks.statistics.mean_test.mean_test`, not their variance over the dates. A
    network is trained anew in every fold, so seeds are nested in folds.

    Args:
        daily: (V, N, D) rank IC by variant, seed and date in time order.
        folds: (D,) the fold of each date.
        horizon: Rows that a label spans.

    Returns:
        By component: sd; share, that of the variance of one rank IC on a date; share_of_gain, that
        of the variance of the difference between the means of two variants over all dates and
        seeds. Estimates below zero count as zero. NaN where nothing separates a component: seeds
        and residual with one seed, variants with one variant, ``fold x variant`` with one fold, and
        all without a variant. Folds with a single date are left out.
    """
    variants, seeds, _ = daily.shape
    parts = [daily[:, :, folds == fold] for fold in np.unique(folds)]
    parts = [part for part in parts if part.shape[2] > 1]  # one date has no variance
    if not variants or not parts:
        nothing = pd.DataFrame(np.nan, [*COMPONENTS], ["sd", "share", "share_of_gain"])
        return nothing.rename_axis("component")
    days = np.array([part.shape[2] for part in parts])

    def over_dates(values: list[float]) -> float:
        return float(np.average(values, weights=days - 1))

    several, many, repeated = variants > 1, seeds > 1, len(parts) > 1
    nan = float("nan")
    # with dates: (V, N, n) of seeds within each variant, (1, V, n) of variants, seeds averaged
    of_seeds = [centred(part) for part in parts]
    of_variants = [centred(part.mean(axis=1))[None] for part in parts]
    residual = over_dates([mean_square(one, seeds) for one in of_seeds]) if many else nan
    own = over_dates([mean_square(one, variants) for one in of_variants]) if several else nan
    common = over_dates([part.mean(axis=(0, 1)).var(ddof=1) for part in parts])
    seed = nan
    if many:
        apart = [part.mean(axis=2).var(axis=1, ddof=1).mean() for part in parts]
        chance = [error_squared(one, horizon) * seeds / (seeds - 1) for one in of_seeds]
        seed = float(np.mean(apart) - np.mean(chance))
    fold = variant = timed = nan
    if several:
        wobble = [error_squared(one, horizon) * variants / (variants - 1) for one in of_variants]
        timed = float(np.mean(wobble))
        means = np.stack([part.mean(axis=(1, 2)) for part in parts], axis=1)
        between = means.mean(axis=1).var(ddof=1)
        if repeated:
            apart_of_fold = centred(means)
            square = float((apart_of_fold**2).sum() / ((variants - 1) * (len(parts) - 1)))
            fold = square - timed - np.nan_to_num(max(seed, 0.0)) / seeds
            variant = float(between - square / len(parts))
        else:
            variant = float(between - timed - np.nan_to_num(max(seed, 0.0)) / seeds)
    found = {
        "date": common - np.nan_to_num(own) / variants,
        "variant": variant,
        "fold x variant": fold,
        "seed": seed,
        "variant x date": own - np.nan_to_num(residual) / seeds,
        "residual": residual,
    }
    size = pd.Series(found).clip(lower=0.0)
    gain = pd.Series(np.nan, index=size.index)
    gain["fold x variant"] = size["fold x variant"]
    gain["seed"] = size["seed"] / seeds
    gain["variant x date"] = timed
    return pd.DataFrame(
        {
            "sd": np.sqrt(size),
            "share": size / size.sum(),
            "share_of_gain": gain / gain.sum() if gain.sum() > 0 else gain,
        }
    ).rename_axis("component")


def centred(table: np.ndarray) -> np.ndarray:
    """A table less the means of its rows and of its columns."""
    rows, columns = table.mean(axis=-1, keepdims=True), table.mean(axis=-2, keepdims=True)
    found: np.ndarray = table - rows - columns + table.mean(axis=(-2, -1), keepdims=True)
    return found


def mean_square(interaction: np.ndarray, levels: int) -> float:
    """Mean square of an interaction (M, L, n) of L levels and n dates, within M groups."""
    groups, _, days = interaction.shape
    freedom = groups * max(levels - 1, 1) * (days - 1)
    return float((interaction**2).sum() / freedom)


def error_squared(interaction: np.ndarray, horizon: int) -> float:
    """Mean over rows of the squared standard error of their means over dates (M, L, n)."""
    rows = interaction.reshape(-1, interaction.shape[-1]).T
    if not frequencies(len(rows), horizon):
        return float(rows.var(axis=0, ddof=1).mean() / len(rows))
    return float((mean_and_error(rows, horizon)[1] ** 2).mean())
