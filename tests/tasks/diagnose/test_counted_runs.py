"""The audit's progress: how often a forecaster runs, and how often that was expected."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose import QUICK
from foldproof.tasks.diagnose.counted_runs import CountedForecaster, expected_runs
from foldproof.tasks.diagnose.forecaster import audit_forecaster
from foldproof.tasks.diagnose.imported import own_fold
from foldproof.tasks.diagnose.trace.run import takes_trace

DATES = pd.bdate_range("2021-01-01", periods=60)
FOLD = own_fold(DATES.to_numpy().astype("datetime64[D]"), 1)
OPTIONS = replace(QUICK, cuts=4, known_at={"y": "known"}, target="y")
UNCOUNTED = 1
"""The test of state between runs, which only the command makes."""


def rows() -> pd.DataFrame:
    cells = [(date, name) for date in DATES for name in "ABC"]
    made = pd.DataFrame(cells, columns=["date", "symbol"])
    draw = np.random.default_rng(0).standard_normal((2, len(made)))
    return made.assign(x=draw[0], y=draw[1], known=made["date"] + pd.Timedelta(days=2))


def plain(data, fold):
    x = data.set_index(["date", "symbol"])["x"]
    return x[x.index.get_level_values(0).isin(fold.test_dates)]


def traced(data, fold, trace):
    return trace.train(lambda: 2.0) * plain(data, fold)


@pytest.mark.parametrize(("forecast", "with_model"), [(plain, False), (traced, True)])
def test_an_honest_forecaster_runs_as_often_as_expected(forecast, with_model):
    told = []
    counted = CountedForecaster(forecast, OPTIONS, lambda title, total: told.append(total))
    assert takes_trace(counted) is with_model
    report = audit_forecaster(counted, rows(), FOLD, OPTIONS)
    assert report.verdict == "CLEAN"
    assert set(told) == {len(told) + UNCOUNTED} == {expected_runs(OPTIONS, with_model)}


def test_more_runs_than_expected_raise_the_number():
    told = []
    options = replace(QUICK, cuts=1)
    counted = CountedForecaster(plain, options, lambda title, total: told.append(total))
    for _ in range(expected_runs(options, traced=False) + 2):
        counted(rows(), FOLD)
    assert told[-1] == len(told) > told[0]
