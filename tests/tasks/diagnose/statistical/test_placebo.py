import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.statistical.placebo import noise_placebo, placebo_finding
from tests.tasks.diagnose.long_panels import (
    HORIZON,
    features_of,
    fold_of,
    forecast,
    long_panel,
    returns,
    ridge,
    target_of,
)


def placebo(function, data, **given):
    settings = {"prices": ("close",), "horizon": HORIZON} | given
    return noise_placebo(function, data, fold_of(data), target_of, **settings)


def peeking(data, fold):
    """A centred mean of returns among the features."""
    step = returns(data, -1).unstack()
    smooth = step.rolling(5, center=True).mean().stack().rename("smooth")
    return ridge(features_of(data).join(smooth), target_of(data), fold, penalty=1e-6)


def against(data, fold):
    """The next day's return with the wrong sign."""
    tomorrow = returns(data, 1)
    return -tomorrow[tomorrow.index.get_level_values(0).isin(fold.test_dates)]


@pytest.mark.parametrize("panels", [1, 3, 5])
@pytest.mark.parametrize("rank_ic", [0.0, 0.15])
def test_honest_forecasters_pass_however_strong_the_signal(panels, rank_ic):
    found = placebo(forecast, long_panel(2, rank_ic=rank_ic), panels=panels)
    assert found.verdict is Verdict.CLEAN
    assert found.evidence.startswith("statistical, p = ")
    assert found.p_value > 0.01
    assert abs(found.value) < 0.1
    assert "significant beyond ±" in found.detail


@pytest.mark.parametrize("panels", [1, 5])
def test_a_centred_feature_is_a_leak(panels):
    found = placebo(peeking, long_panel(3), panels=panels)
    assert found.verdict is Verdict.LEAK
    assert found.p_value < 1e-3
    assert found.value > 0.3
    assert (found.test, found.stage, found.counts) == ("noise_placebo", "scoring", True)


def test_the_wrong_sign_is_reported_as_a_leak():
    found = placebo(against, long_panel(3))
    assert found.verdict is Verdict.LEAK
    assert found.value < -0.3
    assert "wrong sign" in found.detail


def test_five_or_more_noise_data_sets_are_tested_by_their_means():
    daily = pd.DataFrame(np.random.default_rng(0).normal(0.05, 0.2, (60, 6)))
    found = placebo_finding(daily, horizon=5)
    expected = ttest_1samp(daily.mean(), 0)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert found.value == pytest.approx(daily.to_numpy().mean())


def test_short_tests_and_failing_forecasters_are_unknown():
    short = placebo_finding(pd.DataFrame(np.full((12, 1), 0.5)), horizon=10)
    assert short.verdict is Verdict.UNKNOWN
    assert "12 test dates are too few for labels over 10 days" in short.evidence

    def broken(rows, fold):
        raise RuntimeError("no convergence")

    failed = placebo(broken, long_panel(3))
    assert failed.verdict is Verdict.UNKNOWN
    assert "RuntimeError: no convergence" in failed.evidence


@pytest.mark.parametrize("given", [{"prices": ()}, {"panels": 0}])
def test_prices_and_a_noise_data_set_are_required(given):
    with pytest.raises(ValueError, match="at least one price column and one noise data set"):
        placebo(forecast, long_panel(3, dates=150), **given)
