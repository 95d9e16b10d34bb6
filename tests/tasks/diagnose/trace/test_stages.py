"""The witness of a moved cell, column, row or value."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose.findings.catalogue import STAGES
from foldproof.tasks.diagnose.trace.stages import MEMBERSHIP, excerpt, moved_outputs, with_noise
from foldproof.tasks.diagnose.trace.trace import Recorder
from tests.tasks.diagnose.small import DATES, features, keyed, rows

DATA = rows()
X = keyed(DATA, features(DATA))
ALL = DATES.to_numpy()
CUT = ALL[50]


def noted(*marks):
    """Notes of a run that traces (stage, value)."""
    recorder = Recorder(DATA)
    for stage, value in marks:
        recorder(stage, value)
    return recorder.notes


def moved(before, after, cut=CUT, undated=False):
    return moved_outputs(noted(*before), noted(*after), cut, ALL, undated)


def with_cell(date, symbol="C", column="x", value=9.0):
    table = X.copy()
    table.loc[(DATES[date], symbol), column] = value
    return table


def test_nothing_moved():
    assert moved([("features", X)], [("features", X.sample(frac=1, random_state=0))]) == []


@pytest.mark.parametrize("date", [0, 13, 50])
@pytest.mark.parametrize("column", ["x", "lagged"])
def test_one_moved_cell_is_exactly_the_witness(date, column):
    (output,) = moved([("features", X)], [("features", with_cell(date, "C", column))])
    witness, was = output.witness, float(X.loc[(DATES[date], "C"), column])
    assert (output.stage, output.name) == ("features", "features")
    assert (witness.cut, witness.date) == (str(CUT)[:10], str(ALL[date])[:10])
    assert (witness.symbol, witness.column) == ("C", column)
    assert (witness.before, witness.after) == (was, 9.0)
    assert output.ahead == 51 - date  # from its date to the first changed row, dated after the cut
    assert output.value == pytest.approx(abs(9.0 - was) / X[column].std(ddof=0))


def test_a_move_after_the_cut_is_no_leak():
    assert moved([("features", X)], [("features", with_cell(51))]) == []


def test_the_witness_is_the_largest_move_and_the_look_ahead_is_of_the_oldest():
    after = with_cell(10, "A", value=float(X.loc[(DATES[10], "A"), "x"]) + 0.1)
    after.loc[(DATES[48], "B"), "x"] += 5.0
    (output,) = moved([("features", X)], [("features", after)])
    assert (output.witness.symbol, output.witness.date) == ("B", str(ALL[48])[:10])
    assert output.ahead == 51 - 10


def test_a_finite_move_is_preferred_to_a_missing_value():
    after = with_cell(10, "A", value=np.nan)
    (output,) = moved([("features", X)], [("features", after)])
    assert np.isinf(output.value)
    assert np.isnan(output.witness.after)
    after.loc[(DATES[48], "B"), "x"] += 5.0
    (output,) = moved([("features", X)], [("features", after)])
    assert (output.witness.symbol, output.ahead) == ("B", 41)


def test_rounding_is_no_move_and_depends_on_the_type():
    jitter = X * (1 + 1e-12)
    assert moved([("features", X)], [("features", jitter)]) == []
    single = X.astype("float32")
    assert moved([("features", single)], [("features", single * np.float32(1 + 5e-7))]) == []
    assert len(moved([("features", X)], [("features", X * (1 + 5e-7))])) == 1


@pytest.mark.parametrize("way", ["vanish", "appear"])
def test_rows_of_one_run_only_are_a_move(way):
    some = X.drop(index=(DATES[20], "D"))
    before, after = (X, some) if way == "vanish" else (some, X)
    (output,) = moved([("features", before)], [("features", after)])
    assert (output.witness.date, output.witness.symbol) == (str(ALL[20])[:10], "D")
    assert output.ahead == 31
    assert np.isinf(output.value)


@pytest.mark.parametrize("stage", MEMBERSHIP)
def test_only_the_rows_of_a_universe_are_compared(stage):
    assert moved([(stage, X)], [(stage, with_cell(20))]) == []
    (output,) = moved([(stage, X)], [(stage, X.drop(index=(DATES[20], "D")))])
    assert output.witness.column == f"row of {stage}"
    assert (output.witness.date, output.witness.symbol) == (str(ALL[20])[:10], "D")
    assert output.ahead == 31


def test_rows_of_a_symbol_that_comes_after_the_cut_are_no_move():
    late = X.drop(index=[(date, "F") for date in DATES[:51]])
    gone = late.drop(index="F", level=1)
    assert moved([("features", late)], [("features", gone)]) == []


@pytest.mark.parametrize("way", ["vanishes", "appears"])
def test_a_column_of_one_run_only_is_a_move(way):
    more = X.assign(extra=1.0)
    before, after = (more, X) if way == "vanishes" else (X, more)
    (output,) = moved([("features", before)], [("features", after)])
    assert output.witness.column == "extra"
    assert output.ahead == 51


@pytest.mark.parametrize("stage", [s for s in STAGES if s not in (*MEMBERSHIP, "target")])
def test_the_second_of_two_outputs_of_a_stage_is_compared(stage):
    marks = [(stage, X), (stage, X)]
    assert moved(marks, marks) == []
    (output,) = moved(marks, [(stage, X), (stage, with_cell(20))])
    assert (output.stage, output.ahead) == (stage, 31)
    first, second = ("w", 1.0), ("w", 2.0)
    (output,) = moved([(stage, first)] * 2, [(stage, first), (stage, second)], undated=True)
    assert output.repeated
    (output,) = moved([(stage, first)] * 2, [(stage, second), (stage, first)], undated=True)
    assert not output.repeated


def test_only_targets_known_at_the_cut_are_compared():
    ends = X.index.get_level_values(0) + pd.offsets.BDay(5)
    target = X[["x"]].assign(label_end=ends)
    after = target.copy()
    after.loc[(DATES[46], "C"), "x"] = 9.0  # known on date 51
    assert moved([("target", target)], [("target", after)]) == []
    after.loc[(DATES[45], "C"), "x"] = 9.0  # known on date 50, the cut
    (output,) = moved([("target", target)], [("target", after)])
    assert output.witness.date == str(ALL[45])[:10]
    untold = target.drop(columns="label_end"), after.drop(columns="label_end")
    assert moved([("target", untold[0])], [("target", untold[1])]) == []


def test_a_table_of_later_dates_may_be_absent():
    """A loop over test dates ends earlier where later rows are removed."""
    windows = [("features", X.loc[DATES[k - 9] : DATES[k]]) for k in (48, 52, 56)]
    assert moved(windows, windows[:1]) == []
    (output,) = moved(windows, [])
    assert output.witness.date <= str(ALL[48])[:10]


def test_a_value_that_is_no_longer_a_table_is_a_move():
    (output,) = moved([("features", X)], [("features", None)])
    assert output.ahead == 51
    assert np.isinf(output.value)


def test_outputs_without_dates_are_compared_if_all_rows_after_training_change():
    before, after = [("selection", {"w": [1.0, 2.0]})], [("selection", {"w": [1.0, 3.0]})]
    assert moved(before, after) == []
    (output,) = moved(before, after, undated=True)
    assert (output.stage, output.ahead, output.value) == ("selection", None, 0.5)
    assert output.witness.column == "selection.w.1"
    assert (output.witness.before, output.witness.after) == (2.0, 3.0)
    assert moved(before, before, undated=True) == []
    assert len(moved(before, [], undated=True)) == len(moved([], before, undated=True)) == 1


def test_differences_between_identical_runs_are_no_move():
    """Seconds, and a stage without a seed: known from another run on the same data."""
    base = noted(("training", {"seconds": 0.1, "w": 1.0}), ("features", X))
    again = noted(("training", {"seconds": 0.2, "w": 1.0}), ("features", X + 0.01))
    steady = with_noise(base, again)
    assert steady[0].loose == {"seconds"}
    assert steady[1].noise == pytest.approx(0.01 / X.std(ddof=0).min())
    other = noted(("training", {"seconds": 0.3, "w": 1.0}), ("features", X + 0.02))
    assert moved_outputs(steady, other, CUT, ALL, True) == []
    assert len(moved_outputs(base, other, CUT, ALL, True)) == 2
    far = noted(("training", {"seconds": 0.3, "w": 2.0}), ("features", X + 1.0))
    assert [e.stage for e in moved_outputs(steady, far, CUT, ALL, True)] == ["training", "features"]


def test_rows_that_differ_between_identical_runs_are_ignored():
    some = X.drop(index=(DATES[20], "D"))
    (steady,) = with_noise(noted(("features", X)), noted(("features", some)))
    assert np.isinf(steady.noise)
    assert moved_outputs([steady], noted(("features", some)), CUT, ALL, False) == []


def test_the_excerpt_shows_both_runs_around_the_cut():
    (output,) = moved([("features", X)], [("features", with_cell(48))])
    series = output.witness.excerpt
    own = X["x"].xs("C", level=1)
    assert list(series.dates) == [str(date)[:10] for date in ALL[27:59]]
    assert list(series.before) == own.iloc[27:59].tolist()
    moved_at = [
        k
        for k, pair in enumerate(zip(series.before, series.after, strict=True))
        if len(set(pair)) > 1
    ]
    assert moved_at == [48 - 27]
    (table,) = noted(("features", X))
    assert excerpt((table.table, table.table), np.uint64(1), "nothing", CUT) is None
