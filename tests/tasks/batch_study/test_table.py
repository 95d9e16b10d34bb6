import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from foldproof.tasks.batch_study.table import MEASURES, false_discovery, interval, table_of


def test_the_interval_of_two_values_equals_a_hand_calculation() -> None:
    mean, half, p = interval(np.array([0.0, 2.0]), 0.95)
    assert mean == 1.0
    assert half == pytest.approx(12.7062, abs=1e-4)  # t(0.975, 1), error 1
    assert p == pytest.approx(0.5)  # t = 1 with one degree of freedom


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_equals_scipy(level: float) -> None:
    values = np.random.default_rng(1).normal(0.3, 1, 7)
    oracle = stats.ttest_1samp(values, 0)
    mean, half, p = interval(values, level)
    low, high = oracle.confidence_interval(level)
    np.testing.assert_allclose([mean - half, mean + half, p], [low, high, oracle.pvalue], 1e-12)


def test_constant_values_have_no_p_value() -> None:
    assert interval(np.zeros(4), 0.95)[1] == 0
    assert np.isnan(interval(np.zeros(4), 0.95)[2])
    with pytest.raises(ValueError, match="at least 2"):
        interval(np.ones(1), 0.95)


def test_adjusted_p_values_equal_statsmodels_and_skip_missing_ones() -> None:
    p = np.random.default_rng(2).random(12) ** 3
    expected = multipletests(p, method="fdr_bh")[1]
    np.testing.assert_allclose(false_discovery(p), expected, rtol=1e-12)
    with_gap = np.insert(p, 4, np.nan)
    found = false_discovery(with_gap)
    assert np.isnan(found[4])
    np.testing.assert_allclose(np.delete(found, 4), expected, rtol=1e-12)


def rows() -> pd.DataFrame:
    """Two normalizations, one with a shortcut; the second composition lacks the reference."""
    draw, out = np.random.default_rng(3), []
    for seed in range(5):
        luck = draw.normal()
        for name, composition, bonus in (("none", "a", 0), ("bn", "a", 0.5), ("bn", "b", 0.1)):
            honest = luck + bonus
            out.append({
                "panel": "p", "normalization": name, "composition": composition, "seed": seed,
                "honest": honest, "train_mode": honest + 0.25, "train_mode_dates": honest,
                "best_epoch": seed, "epochs": 9, "chance": 0.02,
            })  # fmt: skip
    return pd.DataFrame(out)


def test_gap_and_gain_are_paired_within_a_seed() -> None:
    """The luck of a seed widens the interval of honest scores and cancels in paired differences."""
    table = table_of(rows(), "none", 0.95).set_index(["normalization", "composition"])
    bn = table.loc[("bn", "a")]
    assert bn["gain"] == pytest.approx(0.5)
    assert bn["gain_high"] - bn["gain_low"] < 1e-12
    assert bn["gap"] == pytest.approx(0.25)
    assert bn["honest_high"] - bn["honest_low"] > 0.5
    assert (bn["seeds"], bn["best_epoch"]) == (5, 2.0)
    assert bn["chance"] == pytest.approx(0.02 / 5**0.5)
    assert np.isnan(table.loc[("bn", "b"), "gain"])
    assert table.loc[("none", "a"), "gain"] == 0
    assert {f"{name}{part}" for name in MEASURES for part in ("", "_low", "_high", "_p")} <= {
        *table.columns
    }
