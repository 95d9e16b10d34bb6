"""The statistical tests of an audit run if their inputs are known, else report why not."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose.spec import AuditOptions
from foldproof.tasks.diagnose.statistical.battery import (
    data_statistics,
    forecast_statistics,
    returns_around,
)
from foldproof.tasks.diagnose.trace.run import BoundForecaster, ReferenceRun
from tests.tasks.diagnose.small import FOLD, forecaster, keyed, rows

DATA = rows()
ALWAYS = ("survivorship",)


def silent(data, fold):
    """Today's x, without a mark."""
    scores = keyed(data, data["x"])
    return scores[scores.index.get_level_values(0).isin(fold.test_dates)]


def labels(data):
    return keyed(data, data["y"])


def statistics(forecast, **options):
    reference = ReferenceRun.of(BoundForecaster(forecast, FOLD), DATA, AuditOptions(**options))
    return [*forecast_statistics(reference), *data_statistics(reference)]


def run_of(forecast, **options):
    return tuple(f.test for f in statistics(forecast, **options))


def test_each_test_runs_if_its_inputs_are_known():
    bare, traced = silent, forecaster()
    assert run_of(bare) == ALWAYS
    assert run_of(traced) == ("drift", *ALWAYS)
    assert run_of(bare, target=labels) == ("delay_curve", *ALWAYS)
    whole = run_of(traced, target=labels, prices=("x",))
    assert whole == ("delay_curve", "feature_screen", "time_reversal", "drift", *ALWAYS)


@pytest.mark.parametrize(
    ("asked", "test", "reason"),
    [
        ({"placebo": 5, "target": labels}, "noise_placebo", "noise data sets need prices"),
        ({"placebo": 5, "prices": ("x",), "target": "y"}, "noise_placebo", "a function computes"),
        ({"permutations": 20, "target": labels}, "label_permutation", "a column of the data"),
        ({"permutations": 4, "target": "y"}, "label_permutation", "at least 5; there are 4"),
    ],
)
def test_an_impossible_request_reports_the_reason(asked, test, reason):
    (finding,) = [f for f in statistics(forecaster(), **asked) if f.test == test]
    assert (finding.verdict, finding.counts) == ("UNKNOWN", False)
    assert reason in finding.detail


def of_labels(data, fold, trace):
    """Knows the labels of the test block."""
    scores = keyed(data, data["y"]).dropna()
    return scores[scores.index.get_level_values(0).isin(fold.test_dates)]


def learned_sign(data, fold, trace):
    """Forecasts x, with the sign of its covariance with the label in training."""
    train = data[data["date"].isin(fold.train_dates)]
    sign = np.sign((train["x"] * train["y"]).mean())
    scores = sign * keyed(data, data["x"])
    return scores[scores.index.get_level_values(0).isin(fold.test_dates)]


@pytest.mark.parametrize(("forecast", "leaks"), [(of_labels, True), (learned_sign, False)])
def test_label_permutation_detects_a_forecaster_that_reads_test_labels(forecast, leaks):
    found = statistics(forecast, target="y", permutations=8)
    (finding,) = [f for f in found if f.test == "label_permutation"]
    assert (finding.p_value < 0.01) is leaks


def test_returns_around_a_row_by_hand():
    data = pd.DataFrame(
        {
            "date": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-06"] * 2),
            "symbol": ["a"] * 4 + ["b"] * 4,
            "close": [1.0, 2.0, 6.0, 3.0, 10.0, 10.0, 5.0, 5.0],
        }
    )
    past, future = returns_around(data, "close", 2)
    assert past.xs("a", level=1).tolist()[2:] == pytest.approx([5.0, 0.5])
    assert past.xs("a", level=1).isna().tolist() == [True, True, False, False]
    assert future.xs("a", level=1).tolist()[:2] == pytest.approx([5.0, 0.5])
    assert future.xs("b", level=1).tolist()[:2] == pytest.approx([-0.5, -0.5])
