import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.statistical.screen import (
    daily_by_lag,
    feature_screen,
    largest_under_null,
    permuted_blocks,
    unit_ranks,
)
from foldproof.tasks.statistics.mean_test import mean_test
from foldproof.tasks.statistics.rank_ic import daily_rank_ic
from tests.tasks.diagnose.long_panels import (
    HORIZON,
    features_of,
    long_panel,
    ready,
    returns,
    target_of,
)


def screen(data, features=None, **given):
    frame = features_of(data) if features is None else features
    return feature_screen(frame, target_of(data), HORIZON, **given)


def peeking(data: pd.DataFrame, size: float) -> pd.DataFrame:
    """Honest features, and the future return under noise of ``size`` times its spread."""
    target = target_of(data)
    noise = size * target.std() * np.random.default_rng(0).standard_normal(len(target))
    return features_of(data).join((target + noise).rename("peek"))


@pytest.mark.parametrize("rank_ic", [0.0, 0.06, 0.15])
def test_honest_features_are_never_above_the_ceiling(rank_ic):
    found = screen(long_panel(1, rank_ic=rank_ic))
    assert found.finding.verdict is Verdict.CLEAN
    assert found.finding.p_value == 1
    assert found.finding.value < 0.3
    assert set(found.table.index) == set(features_of(long_panel(1)).columns)


def test_a_feature_that_contains_the_label_is_a_leak():
    data = long_panel(1)
    found = screen(data, peeking(data, size=1.0))
    assert found.finding.verdict is Verdict.LEAK
    assert found.finding.p_value == pytest.approx(1 / 1000)
    assert found.finding.detail.startswith("peek: rank IC +0.57")
    assert found.table.index[0] == "peek"
    assert (found.finding.test, found.finding.stage) == ("feature_screen", "features")


def test_just_above_the_ceiling_is_not_significant():
    data = long_panel(1)
    found = screen(data, peeking(data, size=2.1))
    assert 0.3 < found.finding.value < 0.36
    assert found.finding.verdict is Verdict.CLEAN
    assert 0.01 < found.finding.p_value < 1


def test_a_label_three_days_ahead_is_found_at_its_lag():
    data = long_panel(2)
    late = returns(data, 1).unstack().shift(-3).stack().rename("late")
    found = feature_screen(late.to_frame(), returns(data, 1), horizon=4)
    assert found.table.loc["late", "lag"] == 3
    assert found.table.loc["late", "rank_ic"] == pytest.approx(1)
    assert found.finding.verdict is Verdict.LEAK


def test_the_table_agrees_with_a_mean_test_of_each_feature():
    data = long_panel(3, dates=90, symbols=8)
    features, target = features_of(data), target_of(data)
    table = screen(data).table
    assert table["rank_ic"].abs().is_monotonic_decreasing
    for name, row in table.iterrows():
        later = target.unstack().shift(-int(row["lag"])).stack()
        daily = daily_rank_ic(features[name], later)
        expected = mean_test(daily.to_numpy(), HORIZON)
        assert (row["rank_ic"], row["error"], row["p"]) == pytest.approx(
            (expected.mean, expected.error, expected.p), rel=1e-10
        )
        assert row["dates"] == len(daily)


def test_unit_ranks_give_the_spearman_correlation():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(2, 6, 9)).round(1)
    expected = [spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose((unit_ranks(x) * unit_ranks(y)).sum(axis=1), expected, atol=1e-12)
    assert not unit_ranks(np.ones((2, 5))).any()
    gap = np.array([[1.0, np.nan, 3.0]])
    np.testing.assert_allclose(unit_ranks(gap), [[-np.sqrt(0.5), 0, np.sqrt(0.5)]])


def test_block_permutations_keep_neighbours_and_every_date():
    order = permuted_blocks(100, 10, np.random.default_rng(0))
    assert sorted(order) == list(range(100))
    assert ((np.diff(order) % 100) == 1).sum() >= 90
    assert not (order == np.arange(100)).all()
    assert sorted(permuted_blocks(7, 10, np.random.default_rng(0))) == list(range(7))


def test_a_draw_without_a_permutation_equals_the_statistic(monkeypatch):
    """With the dates left where they are, the null is the largest |t| of the table's series."""
    data = long_panel(4, dates=80, symbols=8)
    target = target_of(data)
    late = target.unstack().shift(-1).stack()  # largest at the longest lag
    late += 0.03 * np.random.default_rng(0).standard_normal(len(late))
    frame = ready(data)[["f0"]].assign(late=late)
    monkeypatch.setattr(
        "foldproof.tasks.diagnose.statistical.screen.permuted_blocks",
        lambda length, block, generator: np.arange(length),
    )
    drawn = largest_under_null(frame, target, 1, permutations=1, seed=0)
    daily = np.nan_to_num(np.hstack(list(daily_by_lag(frame, target, 1).values())))
    expected = [mean_test(column, 1) for column in daily.T]
    assert drawn[0] == pytest.approx(max(abs(one.mean / one.error) for one in expected))


def test_columns_that_are_not_numbers_are_ignored():
    data = long_panel(5, dates=90, symbols=8)
    features, target = features_of(data), target_of(data)
    one, other = (feature_screen(f, target, 5).table for f in (features.assign(s="x"), features))
    pd.testing.assert_frame_equal(one, other)


def test_too_few_dates_are_unknown():
    data = long_panel(6, dates=14, symbols=8)
    found = feature_screen(ready(data)[["f0"]], target_of(data), 5)
    assert found.finding.verdict is Verdict.UNKNOWN
    assert "enough dates" in found.finding.evidence


@pytest.mark.slow
def test_family_wise_level_without_a_ceiling():
    """60 panels of noise: the best of 7 features at 6 lags is flagged in about one in twenty."""
    alarms = sum(
        screen(long_panel(seed, dates=120, symbols=10), ceiling=0.0, permutations=99, seed=seed)
        .finding.p_value <= 0.05
        for seed in range(60)
    )  # fmt: skip
    assert alarms <= 8  # 99.5 % quantile of 60 draws at 5 %
