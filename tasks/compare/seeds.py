"""Rank ICs by date and seed: of single networks, or of the ensemble and how it depends on seeds."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from foldproof.tasks.compare.aligned import Aligned
from foldproof.tasks.compare.cube import Cube
from foldproof.tasks.statistics.rank_ic import rank_correlation


class UnequalSeeds(ValueError):
    """Variants have different numbers of seeds, so their seeds cannot be drawn together."""


def count_of_seeds(cube: Cube) -> int:
    """The number of seeds of every variant; a variant with one seed is deterministic.

    Raises:
        UnequalSeeds: Two variants have different numbers of seeds, both above one.
    """
    counts = {name: len(own) // cube.paths for name, own in cube.seeds.items()}
    several = {name: count for name, count in counts.items() if count > 1}
    if len(set(several.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in several.items())
        raise UnequalSeeds(
            f"variants have different numbers of seeds: {found}. Forecast with the same seeds for "
            "every variant, or leave the others out"
        )
    return next(iter(several.values()), 1)


def networks(cube: Cube, aligned: Aligned) -> Iterator[tuple[str, np.ndarray]]:
    """The name and the forecasts (N, D, S) of each variant's N seeds on the cells of ``aligned``.

    With P paths there are N * P, those of a seed in succession.

    Args:
        cube: The forecasts of every seed.
        aligned: The same forecasts aligned.
    """
    keep = np.ix_(cube.dates.isin(aligned.dates), cube.symbols.isin(aligned.symbols))
    common = np.isfinite(aligned.target)
    for name, own in cube.seeds.items():
        wide = np.stack([cube.cells[own[seed]][keep] for seed in sorted(own)])
        yield str(name), np.where(common, wide, np.nan)


def rank_ic_of_networks(cube: Cube, aligned: Aligned) -> dict[str, np.ndarray]:
    """By variant, (N, D) daily rank IC of each of its N networks; (N * P, D) with P paths."""
    return {
        name: np.stack([rank_correlation(one, aligned.target) for one in wide])
        for name, wide in networks(cube, aligned)
    }


def rank_ic_of_ensembles(
    cube: Cube, aligned: Aligned, daily: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    r"""By variant, (N, D) values with the ensemble's rank IC as mean, and its variance over seeds.

    .. math:: x_s = e + (N - 1) \left(\tfrac1N \textstyle\sum_r e_{-r} - e_{-s}\right)

    with e the rank IC of the mean forecast over N seeds and e_{-s} without seed s. The deviations
    are those of the jackknife's pseudo-values (Tukey 1958), so the variance of x over seeds, over
    N, is the jackknife variance of e: how much the ensemble depends on which seeds it holds.

    Args:
        cube: The forecasts of every seed.
        aligned: The same forecasts aligned.
        daily: By variant, (D,) rank IC of the ensemble.
    """
    found = {}
    for name, wide in networks(cube, aligned):
        count = len(wide)
        if count == 1:
            found[name] = daily[name][None]
            continue
        total = wide.sum(axis=0)
        without = np.stack(
            [rank_correlation((total - one) / (count - 1), aligned.target) for one in wide]
        )
        found[name] = pseudo_values(daily[name], without)
    return found


def pseudo_values(whole: np.ndarray, without: np.ndarray) -> np.ndarray:
    """(N, ...) values with mean ``whole`` whose variance over N is the jackknife's, times N.

    Args:
        whole: (...) of all N seeds.
        without: (N, ...) of all but one.
    """
    return whole + (len(without) - 1) * (without.mean(axis=0) - without)


def without_each_seed(cube: Cube, aligned: Aligned) -> Iterator[Aligned]:
    """``aligned`` with the mean forecasts over all seeds but one, for each of N; none for one seed.

    A deterministic variant has the same forecasts in all.
    """
    seeds = count_of_seeds(cube)
    for left_out in range(seeds if seeds > 1 else 0):
        forecasts = np.array(aligned.forecasts)
        for place, (_, wide) in enumerate(networks(cube, aligned)):
            if len(wide) > cube.paths:
                apart = wide.reshape(seeds, cube.paths, *wide.shape[1:])
                forecasts[place] = np.delete(apart, left_out, axis=0).mean(axis=(0, 1))
        yield replace(aligned, forecasts=forecasts)


def side_by_side(by_variant: Mapping[str, np.ndarray], variants: tuple[str, ...]) -> np.ndarray:
    """(N, D, V) of (N, D) by variant; a deterministic one (1, D) is the same for all seeds."""
    seeds = max(len(one) for one in by_variant.values())
    rows = [by_variant[name] for name in variants]
    return np.stack([np.broadcast_to(one, (seeds, one.shape[1])) for one in rows], axis=2)
