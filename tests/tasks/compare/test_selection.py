"""What choosing costs: by hand, recomputed another way, and on series where it is known."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.api import OLS

from foldproof.tasks.compare.selection import (
    BLOCKS,
    best_by_luck,
    blocks_for,
    deflated,
    deflated_ratio,
    overfitting,
    selection,
)
from foldproof.tasks.statistics.mean_test import lags_for
from tests.benchmarks.comparison_size import panel


def noise(columns=8, dates=600, seed=0):
    return np.random.default_rng(seed).normal(0, 0.2, size=(dates, columns))


def test_one_that_is_better_throughout_is_never_overfitted():
    daily = noise()
    daily[:, 3] += 1.0
    assert overfitting(daily, 1) == 0.0
    assert deflated(daily, 1) > 0.99


def test_a_column_that_wins_one_half_and_loses_the_other_is_always_overfitted():
    """Every column has the same mean over all dates, so the best here is the worst there."""
    daily = noise()
    assert overfitting(daily - daily.mean(axis=0), 1) > 0.98  # the purge moves means a little


def test_columns_without_a_difference_are_at_chance():
    found = [overfitting(noise(seed=seed), 1) for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.12)
    assert overfitting(np.repeat(noise(1), 5, axis=1), 1) == 1.0  # ties: the median, every time


def test_overfitting_equals_a_brute_force_count():
    daily, blocks = noise(5, 47), 6
    parts, low = np.array_split(daily, blocks), 0
    parts = [part[:-2] for part in parts[:-1]] + parts[-1:]  # labels of two rows reach beyond
    halves = list(combinations(range(blocks), blocks // 2))
    for half in halves:
        inside = np.mean([parts[k].mean(axis=0) for k in half], axis=0)
        outside = np.mean([parts[k].mean(axis=0) for k in range(blocks) if k not in half], axis=0)
        omega = stats.rankdata(outside)[inside.argmax()] / 6
        low += np.log(omega / (1 - omega)) <= 0
    assert overfitting(daily, 2) == pytest.approx(low / len(halves))


def test_the_deflated_ratio_by_hand():
    """With independent dates it is the published formula: n dates, spread of the trials' ratios."""
    daily = noise(10, 1250, seed=5) + np.linspace(0, 0.02, 10)
    ratios = daily.mean(axis=0) / daily.std(axis=0)
    best = ratios.argmax()
    z = stats.norm.ppf
    luck = ratios.std(ddof=1) * (
        0.4227843351 * z(1 - 1 / 10) + 0.5772156649 * z(1 - 1 / (10 * np.e))
    )
    one = ratios[best]
    g3, g4 = stats.skew(daily[:, best]), stats.kurtosis(daily[:, best], fisher=False)
    expected = stats.norm.cdf(
        (one - luck) * np.sqrt(1249) / np.sqrt(1 - g3 * one + (g4 - 1) / 4 * one**2)
    )
    assert deflated(daily, 1) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("trials", "skewness", "kurtosis", "published"),
    [(100, -3, 10, 0.9004), (46, -3, 10, 0.9505), (88, 0, 3, 0.9505)],
)
def test_the_published_example_of_the_deflated_ratio(trials, skewness, kurtosis, published):
    """Bailey & Lopez de Prado 2014, "A numerical example".

    Annualized ratios of the trials have variance 1/2; the best has 2.5 over 5 years of 250 days.
    """
    luck = best_by_luck(np.sqrt(1 / (2 * 250)), trials)
    if trials == 100:
        assert luck == pytest.approx(0.1132, abs=5e-5)
    found = deflated_ratio(
        2.5 / np.sqrt(250), luck=luck, dates=1250, skewness=skewness, kurtosis=kurtosis
    )
    assert found == pytest.approx(published, abs=5e-5)


def test_earlier_trials_raise_the_bar():
    daily = noise(6, 800, 4) + np.linspace(0, 0.03, 6)
    ratios = daily.mean(axis=0) / daily.std(axis=0)
    now, later = selection(daily, 1), selection(daily, 1, earlier=94)
    assert (later.trials, later.earlier) == (6, 94)
    assert later.deflated < now.deflated
    error = daily[:, ratios.argmax()]
    expected = deflated_ratio(
        ratios.max(), luck=best_by_luck(ratios.std(ddof=1), 100), dates=800,
        skewness=stats.skew(error), kurtosis=stats.kurtosis(error, fisher=False),
    )  # fmt: skip
    assert later.deflated == pytest.approx(expected, abs=0.03)


def test_the_deflated_ratio_recomputed_with_statsmodels():
    """Two columns, where the spread of the ratios depends most on its degrees of freedom."""
    daily = noise(2, 400, seed=5) + np.array([0.0, 0.004])
    ratios = daily.mean(axis=0) / daily.std(axis=0)
    luck = abs(ratios[0] - ratios[1]) / np.sqrt(2)  # standard deviation of two numbers, n - 1
    luck *= (1 - np.euler_gamma) * stats.norm.ppf(0.5) + np.euler_gamma * stats.norm.ppf(
        1 - 1 / (2 * np.e)
    )
    best = daily[:, ratios.argmax()]
    hac = {"maxlags": lags_for(400, 1), "use_correction": False}
    error = OLS(best, np.ones(400)).fit(cov_type="HAC", cov_kwds=hac).bse[0]
    dates = min(400, best.var() / error**2)
    s, skew, kurtosis = ratios.max(), stats.skew(best), stats.kurtosis(best, fisher=False)
    z = (s - luck) * np.sqrt(dates - 1) / np.sqrt(1 - skew * s + (kurtosis - 1) / 4 * s**2)
    assert deflated(daily, 1) == pytest.approx(stats.norm.cdf(z), abs=1e-9)


def test_the_deflated_ratio_separates_luck_from_skill():
    lucky = [deflated(noise(20, 500, seed), 1) for seed in range(40)]
    assert np.median(lucky) < 0.7
    assert np.mean(np.array(lucky) > 0.99) <= 0.05


def test_overlapping_labels_count_as_fewer_dates():
    steps = noise(4, 3000, seed=2)
    steps[:, 1] += 0.01  # 2.7 standard errors
    overlapping = np.stack([steps[k : k + 2980] for k in range(20)]).mean(axis=0)
    right, naive = deflated(overlapping, 20), deflated(overlapping, 1)
    assert right == pytest.approx(deflated(steps, 1), abs=0.15)
    assert naive > right


@pytest.mark.parametrize("daily", [noise(1), noise(3, 5)])
def test_without_a_selection_both_figures_are_nan(daily):
    found = selection(daily, 1)
    assert found.trials == daily.shape[1]
    assert np.isnan(found.overfitting)
    assert np.isnan(found.deflated)


def test_a_constant_column_has_no_ratio():
    daily = noise(3)
    daily[:, 0] = 0.0
    assert np.isnan(deflated(daily, 1))
    assert 0 <= overfitting(daily, 1) <= 1


def share_below_median(parts):
    """The share of halves, without a purge."""
    means, count = np.stack([part.mean(axis=0) for part in parts]), len(parts)
    low, halves = 0, list(combinations(range(count), count // 2))
    for half in halves:
        rest = [k for k in range(count) if k not in half]
        chosen = means[list(half)].mean(axis=0).argmax()
        rank = stats.rankdata(means[rest].mean(axis=0))[chosen]
        low += rank / (means.shape[1] + 1) <= 0.5
    return low / len(halves)


def test_the_purge_of_block_borders_keeps_noise_at_one_half():
    """Twenty-day labels: without the purge halves share returns, and noise looks repeatable."""
    rng, purged, plain = np.random.default_rng(0), [], []
    for _ in range(60):
        daily = panel(20, 400, rng)
        purged.append(overfitting(daily, 20))
        plain.append(share_below_median(np.array_split(daily, blocks_for(400, 20))))
    assert np.mean(purged) == pytest.approx(0.5, abs=0.1)
    assert np.mean(plain) < np.mean(purged) - 0.03


def test_a_block_spans_three_horizons():
    assert blocks_for(4026, 5) == 12
    assert blocks_for(504, 20) == 8
    assert blocks_for(252, 20) == 0
    assert np.isnan(overfitting(noise(3, 252), 20))


def test_chance_gives_a_wide_range_on_noise_and_skill_lies_below_it():
    daily = noise(8, 600, 3)
    found = selection(daily, 1)
    assert found.chance[0] < 0.3 < 0.7 < found.chance[1]
    daily[:, 3] += 0.1
    better = selection(daily, 1)
    assert better.overfitting < better.chance[0]
    assert better.chance == pytest.approx(found.chance, abs=0.15)


def test_the_deflated_ratio_is_that_of_the_gain_over_the_reference():
    daily = noise(6, 800, 4)
    reference = noise(1, 800, 5)[:, 0] + 0.05
    daily += 0.05  # as good as the reference: no gain, though every IC is above zero
    alone, against = selection(daily, 1), selection(daily, 1, reference)
    assert alone.deflated > 0.95
    assert against.deflated < 0.9
    assert against.deflated == pytest.approx(deflated(daily - reference[:, None], 1))


def test_as_many_splits_as_stated():
    assert len(list(combinations(range(BLOCKS), BLOCKS // 2))) == 924
