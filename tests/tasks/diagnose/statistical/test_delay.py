import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.statistical.delay import curve_finding, delay_curve
from tests.tasks.diagnose.long_panels import HORIZON, long_panel, ready, returns, target_of


def honest(data: pd.DataFrame) -> pd.Series:
    return ready(data)["f0"]


def test_the_curve_by_hand():
    data = long_panel(0, dates=60, symbols=8)
    scores, target = honest(data).unstack(), target_of(data).unstack()
    curve = delay_curve(honest(data), target_of(data), HORIZON, delays=3)[1]
    dates = range(60 - HORIZON - 3)  # those whose target three days later is known
    for k in range(4):
        daily = [spearmanr(scores.iloc[d], target.iloc[d + k]).statistic for d in dates]
        assert curve[k] == pytest.approx(np.mean(daily), abs=1e-12)
    assert curve.index.tolist() == [0, 1, 2, 3]


def test_a_persistent_honest_signal_is_not_a_symptom():
    found, curve = delay_curve(honest(data := long_panel(1, rank_ic=0.15)), target_of(data), 5)
    assert found.verdict is Verdict.CLEAN
    assert not found.counts
    assert found.value > 0.7
    assert curve[0] > 0.1
    assert "is left; the scores' rank autocorrelation is 0.8" in found.detail


def test_a_leak_of_the_next_day_is_a_cliff():
    data = long_panel(1, rank_ic=0.15)
    tomorrow = returns(data, 1)
    scores = honest(data) + 0.7 * tomorrow / tomorrow.std()
    found, curve = delay_curve(scores.dropna(), tomorrow, 1)
    assert found.verdict is Verdict.UNKNOWN
    assert not found.counts
    assert found.evidence == "a symptom, which may have honest causes"
    assert curve[0] > 0.4
    assert found.value < 0.25


@pytest.mark.parametrize(("persistence", "symptom"), [(1.0, True), (0.2, False)])
def test_fast_scores_may_decay_fast(persistence, symptom):
    daily = np.random.default_rng(0).normal([0.2, 0.04], 0.05, (200, 2))
    found, curve = curve_finding(daily, persistence, 1, 0.01)
    assert (found.verdict is Verdict.UNKNOWN) == symptom
    assert found.value == pytest.approx(curve[1] / curve[0])


def test_without_skill_the_result_is_unknown():
    data = long_panel(2)
    found, curve = delay_curve(honest(data), target_of(data), HORIZON)
    assert found.verdict is Verdict.UNKNOWN
    assert "nothing to decay" in found.evidence
    assert not found.counts
    assert len(curve) == 6
    with pytest.raises(ValueError, match="at least 1; it is 0"):
        delay_curve(honest(data), target_of(data), HORIZON, delays=0)
