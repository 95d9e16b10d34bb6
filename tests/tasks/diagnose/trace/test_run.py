"""How a forecaster is called, and how its scores are checked and sorted."""

import functools

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose.trace.run import BoundForecaster, on_test, takes_trace
from foldproof.tasks.diagnose.trace.trace import Recorder
from tests.tasks.diagnose.small import DATES, FOLD, forecaster, rows

DATA = rows()
INDEX = pd.MultiIndex.from_frame(DATA[["date", "symbol"]])
SCORES = pd.Series(np.arange(len(DATA), dtype=float), index=INDEX)


class Called:
    def __call__(self, data, fold, trace):
        return SCORES


@pytest.mark.parametrize(
    ("forecast", "expected"),
    [
        (lambda data, fold: 0, False),
        (lambda data, fold, trace: 0, True),
        (lambda data, fold, notes: 0, True),
        (lambda data, fold, trace=None: 0, True),
        (lambda data, fold, seed=0: 0, False),
        (lambda data, fold, *more: 0, False),
        (functools.partial(lambda seed, data, fold, trace: 0, 1), True),
        (Called(), True),
        (forecaster(), True),
        (dict, False),
    ],
)
def test_a_trace_is_passed_if_there_is_a_third_parameter(forecast, expected):
    assert takes_trace(forecast) is expected


def dated(change):
    dates = change(DATA["date"])
    return SCORES.set_axis(pd.MultiIndex.from_arrays([dates, DATA["symbol"]]))


WRITTEN = {
    "in another order": SCORES.sample(frac=1, random_state=0),
    "symbol first": SCORES.swaplevel(),
    "a time zone": dated(lambda date: date.dt.tz_localize("UTC")),
    "nanoseconds": dated(lambda date: date.dt.as_unit("ns")),
    "texts": dated(lambda date: date.dt.strftime("%Y-%m-%d")),
    "objects": SCORES.astype(object),
    "categories": SCORES.set_axis(
        pd.MultiIndex.from_arrays([DATA["date"], DATA["symbol"].astype("category")])
    ),
}


@pytest.mark.parametrize("scores", list(WRITTEN.values()), ids=list(WRITTEN))
def test_scores_are_the_same_for_every_index_format(scores):
    plain = SCORES[INDEX.get_level_values(0).isin(FOLD.test_dates)]
    pd.testing.assert_series_equal(on_test(scores, FOLD), plain)


def test_single_precision_stays():
    assert on_test(SCORES.astype("float32"), FOLD).dtype == np.float32


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (3, "returned int"),
        (None, "returned NoneType"),
        (SCORES.to_frame(), "returned DataFrame"),
        (SCORES.reset_index(drop=True), "must return a Series indexed .date, symbol."),
        (SCORES.astype(str).map(lambda text: f"buy {text}"), "must return numbers"),
        (SCORES * np.nan, "returned 132 scores, all of them missing"),
        (SCORES.iloc[[300, 300, 310]], "there are duplicates"),
        (SCORES.iloc[:7], "7 scores, none on the fold's test dates 2020-03-13 to 2020-04-13"),
    ],
)
def test_unusable_scores_are_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        on_test(scores, FOLD)


def test_a_run_works_on_copies_and_its_last_note_is_the_scores():
    def writes(data, fold, trace):
        scores = forecaster()(data, fold, trace)
        data["x"] = 0.0
        return scores

    before = DATA.copy()
    run = BoundForecaster(writes, FOLD).run(DATA)
    pd.testing.assert_frame_equal(DATA, before)
    assert [note.stage for note in run.notes] == ["features", "training", "scoring"]
    assert run.notes[-1].table.columns == ("forecast",)
    assert np.array_equal(np.unique(run.notes[-1].table.dates), DATES[52:74].to_numpy())


def test_a_model_is_used_again():
    first = BoundForecaster(forecaster(), FOLD).run(DATA)
    other = DATA.assign(y=0.0)  # training on it would forecast nothing but 0
    again = BoundForecaster(forecaster(), FOLD).run(other, first.trace.reusable)
    pd.testing.assert_series_equal(again.scores, first.scores)
    assert (BoundForecaster(forecaster(), FOLD).run(other).scores == 0).all()
    assert isinstance(again.trace, Recorder)
