import warnings

import numpy as np
import pytest
from scipy.stats import t

from foldproof.tasks.panel_study.random_effects import random_effects

# Trials of the BCG vaccine (Colditz et al. 1994), log risk ratios and their variances, as rounded
# in Viechtbauer (2010, Journal of Statistical Software 36).
BCG = np.array([
    -0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209,
    0.0120, -0.4694, -1.3713, -0.3394, 0.4459, -0.0173,
])  # fmt: skip
VARIANCES = np.array([
    0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230,
    0.0040, 0.0564, 0.0730, 0.0124, 0.5325, 0.0714,
])  # fmt: skip


def test_a_published_example_is_reproduced() -> None:
    found = random_effects(BCG, np.sqrt(VARIANCES))
    assert found.tau**2 == pytest.approx(0.3181, abs=1e-4)
    assert found.test.mean == pytest.approx(-0.7150, abs=1e-4)
    assert found.test.error == pytest.approx(0.1809, abs=1e-4)
    assert found.test.freedom == 12


def test_errors_that_are_tiny_beside_the_spread_are_pooled() -> None:
    """The variance between two panels is then half of their squared difference."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        means = rng.standard_normal(2)
        found = random_effects(means, np.abs(np.diff(means)) * [1e-9, 2e-9])
        assert found.tau == pytest.approx(abs(means[1] - means[0]) / np.sqrt(2))


@pytest.mark.parametrize("scale", [1.0, 0.2, 30.0])
def test_estimates_are_those_of_statsmodels(scale: float) -> None:
    """With a large scale the errors explain all: tau is zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from statsmodels.stats.meta_analysis import combine_effects

    variances = VARIANCES * scale
    oracle = combine_effects(BCG, variances, method_re="iterated", use_t=True)
    found = random_effects(BCG, np.sqrt(variances))
    assert found.i2 == pytest.approx(max(0.0, oracle.i2))
    assert found.tau**2 == pytest.approx(max(0.0, oracle.tau2), abs=1e-8)
    assert found.test.mean == pytest.approx(oracle.mean_effect_re, abs=1e-6)
    # equal where tau is positive; never below the error of equal true values
    least = max(oracle.sd_eff_w_re_hksj, variances_error(variances) if found.tau == 0 else 0)
    assert found.test.error == pytest.approx(least, abs=1e-6)


def variances_error(variances: np.ndarray) -> float:
    return float((1 / variances).sum() ** -0.5)


def test_a_new_panel_is_predicted_with_both_uncertainties() -> None:
    found = random_effects(BCG, np.sqrt(VARIANCES))
    half = t.ppf(0.975, 11) * np.sqrt(found.tau**2 + found.test.error**2)
    assert found.prediction(0.95) == pytest.approx((found.test.mean - half, found.test.mean + half))
    assert np.isnan(random_effects(BCG[:2], np.sqrt(VARIANCES[:2])).prediction(0.95)).all()


def test_one_panel_is_not_tested() -> None:
    alone = random_effects(BCG[:1], np.sqrt(VARIANCES[:1]))
    assert alone.test.freedom == 0
    assert np.isnan(alone.test.p)
    assert random_effects(BCG[:0], BCG[:0]).panels == 0


def test_the_interval_covers_the_mean_over_panels() -> None:
    rng = np.random.default_rng(0)
    errors = np.array([0.002, 0.004, 0.004, 0.006, 0.008])
    covered = 0
    for _ in range(400):
        values = 0.003 + 0.003 * rng.standard_normal(5) + errors * rng.standard_normal(5)
        low, high = random_effects(values, errors).test.interval(0.025)
        covered += low < 0.003 < high
    assert 0.92 < covered / 400 < 0.99


@pytest.mark.parametrize("error", [0.0, 1e-20, np.nan, np.inf])
def test_an_estimate_without_an_error_is_left_out(error: float) -> None:
    errors = np.sqrt(VARIANCES)
    found = random_effects(np.append(BCG, 0.0), np.append(errors, error))
    assert found == random_effects(BCG, errors)
    assert random_effects(np.zeros(2), np.full(2, error)).panels == (2 if error == 1e-20 else 0)
