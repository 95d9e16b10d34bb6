"""Rank ICs by seed: the jackknife of an ensemble, and samples drawn over seeds and dates."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from foldproof.tasks.compare.aligned import align
from foldproof.tasks.compare.cube import cube_of
from foldproof.tasks.compare.intervals import simultaneous_intervals
from foldproof.tasks.compare.metrics import scores_of
from foldproof.tasks.compare.resampling import (
    drawn_dates,
    mean_and_two_way_error,
    resampled,
    sample_of,
    seed_variance,
    two_way_test,
)
from foldproof.tasks.compare.seeds import rank_ic_of_ensembles, rank_ic_of_networks
from foldproof.tasks.compare.verdicts import verdicts
from foldproof.tasks.statistics.holm import holm
from foldproof.tasks.statistics.mean_test import mean_and_error, mean_test
from tests.tasks.compare.series import overlapping


def spearman(forecast: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.array([spearmanr(*pair).statistic for pair in zip(forecast, target, strict=True)])


@pytest.fixture
def several(table) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    target = rng.standard_normal((40, 9))
    drawn = target + 2 * rng.standard_normal((3, 40, 9))
    parts = [table({"none": one}, target, seed=seed) for seed, one in enumerate(drawn)]
    return pd.concat(parts).sample(frac=1, random_state=0), drawn, target


def test_each_network_has_its_own_rank_ic(several) -> None:
    long, drawn, target = several
    found = rank_ic_of_networks(cube_of(long), align(long))["none"]
    np.testing.assert_allclose(found, [spearman(one, target) for one in drawn], atol=1e-12)


def test_an_ensemble_varies_over_seeds_as_its_jackknife_does(several) -> None:
    long, drawn, target = several
    aligned = align(long)
    daily = {name: one.rank_ic for name, one in scores_of(aligned).items()}
    found = rank_ic_of_ensembles(cube_of(long), aligned, daily)["none"]
    np.testing.assert_allclose(found.mean(axis=0), spearman(drawn.mean(axis=0), target), atol=1e-12)
    without = [
        spearman(drawn[[k for k in range(3) if k != s]].mean(axis=0), target).mean()
        for s in range(3)
    ]
    jackknife = 2 / 3 * np.sum((without - np.mean(without)) ** 2)
    assert seed_variance(found.mean(axis=1)[:, None])[0] == pytest.approx(jackknife, rel=1e-10)


def test_one_seed_is_drawn_as_before() -> None:
    daily = overlapping(120, 3, 5, np.random.default_rng(1))
    rows = drawn_dates(daily, 5, draws=5, seed=3)
    for sample, dates in zip(resampled(daily[None], 5, draws=5, seed=3), rows, strict=True):
        np.testing.assert_array_equal(sample.daily, daily[dates])
    sample = sample_of(daily)
    for two_way, dates_only in zip(
        mean_and_two_way_error(sample, 5), mean_and_error(daily, 5), strict=True
    ):
        np.testing.assert_array_equal(two_way, dates_only)
    assert two_way_test(daily[:, 0], 5) == mean_test(daily[:, 0], 5)


def test_the_bootstrap_variance_over_seeds_is_that_of_owen() -> None:
    """Additive seeds and dates, no interaction: the variances of both margins add up."""
    rng = np.random.default_rng(2)
    seeds, dates = 0.5 * rng.standard_normal((6, 1, 1)), rng.standard_normal((1, 300, 1))
    means = [s.daily.mean() for s in resampled(seeds + dates, 1, draws=4000, seed=0)]
    expected = seeds.var() / 6 + dates.var() / 300
    assert np.var(means) == pytest.approx(expected, rel=0.12)


def test_the_bootstrap_counts_the_interaction_three_times() -> None:
    """Owen 2007, section 3: only an interaction of seeds and dates, no margins."""
    noise = np.random.default_rng(3).standard_normal((8, 60, 1))
    noise -= noise.mean(axis=0) + noise.mean(axis=1, keepdims=True) - noise.mean()
    means = [s.daily.mean() for s in resampled(noise, 1, draws=4000, seed=0)]
    assert np.var(means) / (noise.var() / 480) == pytest.approx(1.0, abs=0.2)
    whole = np.random.default_rng(3).standard_normal((8, 60, 1))
    means = [s.daily.mean() for s in resampled(whole, 1, draws=4000, seed=0)]
    assert np.var(means) / (whole.var() / 480) == pytest.approx(3.0, abs=0.6)


def test_intervals_over_seeds_hold_where_those_over_dates_do_not() -> None:
    """Networks of six forecasters without skill; their means differ by seed."""
    rng, missed = np.random.default_rng(4), np.zeros(2)
    family, panels = (np.arange(6),), 40
    for number in range(panels):
        daily = overlapping(300, 6, 5, rng) / 15 + 0.06 * rng.standard_normal((4, 1, 6))
        daily = daily + 0.1 * rng.standard_normal((4, 300, 6))
        for row, one in enumerate((daily, daily.mean(axis=0))):
            low, high = simultaneous_intervals(one, family, 5, level=0.95, draws=60, seed=number)
            missed[row] += bool(((low > 0) | (high < 0)).any())
    assert missed[0] / panels <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / panels)
    assert missed[1] / panels > 0.3


def test_verdicts_over_three_seeds_are_seldom_wrong_where_own_variances_would_mislead() -> None:
    """Networks differ by seed far more than dates do; of 13 variances one is small by chance."""
    rng, panels, wrong = np.random.default_rng(5), 60, np.zeros(2)
    for _ in range(panels):
        daily = 0.5 * rng.standard_normal((3, 1, 14)) + rng.standard_normal((1, 120, 14))
        gains = {str(k): daily[..., k] - daily[..., 0] for k in range(1, 14)}
        said = verdicts(gains, 1, margin=1e-4, level=0.95)["against"]
        alone = [two_way_test(one, 1).p for one in gains.values()]
        wrong += [bool(set(said) & {"better", "worse"}), holm(np.array(alone)).min() < 0.05]
    assert wrong[0] / panels <= 0.05
    assert wrong[1] / panels > 0.1
