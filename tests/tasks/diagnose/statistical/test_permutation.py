import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.statistical.permutation import (
    label_permutation,
    mean_rank_ic,
    p_above_zero,
    permuted,
    shuffled,
)
from tests.tasks.diagnose.long_panels import fold_of, forecast_label, long_panel, ready, with_label


@pytest.fixture(scope="module")
def strong() -> pd.DataFrame:
    """A feature with rank IC 0.15, and the label."""
    return with_label(long_panel(6, rank_ic=0.15))


@pytest.mark.parametrize(("least", "centre"), [(1.0, 10.0), (-1.0, 0.0)])
def test_labels_are_shuffled_and_flipped_within_dates(least, centre):
    """About zero; about their mean, (1 + 2 + 3 + 10 + 20 + 30 + 4) / 7, if none is negative."""
    labels = np.array([least, 2.0, np.nan, 3.0, 10.0, 20.0, 30.0, 4.0])
    date = np.array([1, 1, 1, 1, 2, 2, 2, 3])
    orders, turns = set(), set()
    for seed in range(200):
        out = shuffled(labels, date, np.random.default_rng(seed))
        assert np.isnan(out[2])
        assert np.isfinite(np.delete(out, 2)).all()
        for day in (1, 2, 3):
            given, drawn = (np.sort(x[(date == day) & np.isfinite(x)]) for x in (labels, out))
            turned = np.sort(2 * centre - given)
            assert np.allclose(drawn, given) or np.allclose(drawn, turned)
            turns.add((day, bool(np.allclose(drawn, given))))
        orders.add(tuple(np.argsort(out[4:7])))
    assert len(orders) == 6
    assert len(turns) == 6


def test_only_labels_of_the_given_dates_change(strong):
    fold = fold_of(strong)
    (drawn,) = permuted(strong, "label", fold.train_dates, 1, 0)
    trained = strong["date"].isin(fold.train_dates)
    pd.testing.assert_frame_equal(drawn[~trained], strong[~trained])
    pd.testing.assert_frame_equal(drawn.drop(columns="label"), strong.drop(columns="label"))
    assert (drawn["label"] != strong["label"])[trained].mean() > 0.9


def test_a_strong_honest_feature_spreads_single_permutations_about_zero(strong):
    """Each model of shuffled labels is lucky or unlucky; the test is on their mean."""
    fold, truth = fold_of(strong), strong.set_index(["date", "symbol"])["label"]
    assert mean_rank_ic(forecast_label(strong, fold), truth) > 0.08
    values = np.array([
        mean_rank_ic(forecast_label(drawn, fold), truth)
        for drawn in permuted(strong, "label", fold.train_dates, 30, 0)
    ])  # fmt: skip
    assert values.max() > 0.04
    assert values.min() < -0.04
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(30)
    found = label_permutation(forecast_label, strong, fold, "label")
    assert found.verdict is Verdict.CLEAN
    assert found.p_value > 0.01


def encoding(data, fold):
    """Adds each symbol's mean label over all dates, the test dates included."""
    mean = data.groupby("symbol")["label"].transform("mean").to_numpy()
    scores = forecast_label(data, fold)
    coded = pd.Series(mean, pd.MultiIndex.from_frame(data[["date", "symbol"]]))
    return scores + coded.reindex(scores.index)


def test_a_target_encoding_over_the_test_dates_is_a_leak(strong):
    found = label_permutation(encoding, strong, fold_of(strong), "label", permutations=10)
    assert found.verdict is Verdict.LEAK
    assert found.p_value <= 0.01
    assert "it reads labels of the test dates" in found.detail
    assert (found.test, found.stage) == ("label_permutation", "training")


def test_a_fixed_rule_is_not_a_leak(strong):
    """The same rank IC whatever the labels: significant, but not by reading any."""

    def rule(data, fold):
        return ready(data[data["date"].isin(fold.test_dates)])["f0"]

    found = label_permutation(rule, strong, fold_of(strong), "label", permutations=5)
    assert found.verdict is Verdict.CLEAN
    assert found.value > 0.08
    assert (
        "its forecasts hold without training labels (a fixed rule); no test label is read"
        in found.detail
    )


def test_p_agrees_with_a_one_sided_t_test():
    values = np.random.default_rng(0).normal(0.3, 1, 12)
    expected = ttest_1samp(values, 0, alternative="greater").pvalue
    assert p_above_zero(values) == pytest.approx(expected, rel=1e-10)
    assert p_above_zero(np.zeros(5)) == 0.5


def test_failing_forecasters_are_unknown_and_few_permutations_rejected(strong):
    def broken(data, fold):
        raise RuntimeError("no convergence")

    found = label_permutation(broken, strong, fold_of(strong), "label")
    assert found.verdict is Verdict.UNKNOWN
    assert "no convergence" in found.evidence
    with pytest.raises(ValueError, match="needs at least 5; there are 4"):
        label_permutation(forecast_label, strong, fold_of(strong), "label", permutations=4)
