import pandas as pd
import pytest

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.statistical.reversal import share, time_reversal
from foldproof.tasks.statistics.mean_test import MeanTest
from foldproof.tasks.statistics.rank_ic import daily_rank_ic
from tests.tasks.diagnose.long_panels import features_of, long_panel, returns


def reversal(data: pd.DataFrame, features: pd.DataFrame, horizon: int = 5):
    return time_reversal(features, returns(data, -horizon), returns(data, horizon), horizon)


def test_a_centred_mean_is_a_symptom():
    data = long_panel(0)
    step = returns(data, -1).unstack()
    centred = step.rolling(9, center=True).mean().stack().rename("centred")
    found, table = reversal(data, features_of(data).join(centred))
    assert found.verdict is Verdict.UNKNOWN
    assert not found.counts
    assert found.detail.startswith("centred: rank IC +0.")
    assert found.value > 0.7
    assert table.loc["centred", "past"] > 0.4


def test_honest_momentum_is_not_a_symptom():
    """Momentum correlates strongly with the past and a little with the future."""
    data = long_panel(1, dates=500, symbols=60, rank_ic=0.15)
    past = returns(data, -5)
    signal = (features_of(data)["f0"] * 0.02 + past).rename("momentum").dropna()
    found, table = reversal(data, signal.to_frame())
    assert found.verdict is Verdict.CLEAN
    assert found.value < 0.5
    assert table.loc["momentum", "past"] > 0.5
    assert table.loc["momentum", "future"] > 0.02


def test_the_table_agrees_with_daily_rank_ics():
    data = long_panel(2, dates=100, symbols=8)
    features = features_of(data)
    _, table = reversal(data, features)
    for name in features:
        for side, days in (("past", -5), ("future", 5)):
            expected = daily_rank_ic(features[name], returns(data, days)).mean()
            assert table.loc[name, side] == pytest.approx(expected, abs=1e-12)


def test_without_power_the_result_is_unknown():
    data = long_panel(3, dates=100, symbols=8)
    found, table = reversal(data, features_of(data)[["f0", "f1"]])
    assert found.verdict is Verdict.UNKNOWN
    assert "no feature has a significant rank IC" in found.evidence
    assert table.index.tolist() == ["f0", "f1"]


@pytest.mark.parametrize(
    ("past", "future", "expected"), [(0.2, 0.1, 0.5), (-0.1, -0.4, 0.25), (0.2, -0.2, 0), (0, 1, 0)]
)
def test_share_by_hand(past, future, expected):
    one, other = (MeanTest(mean, 0.1, 5, 0.5) for mean in (past, future))
    assert share(one, other) == pytest.approx(expected)
