"""The further exact tests of an audit: when they run, and what they report on failure."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.tasks.diagnose.exact import is_ready_made, names_of_samples, usual_ahead
from foldproof.tasks.diagnose.perturb.attempt import findings_or_unknown
from foldproof.tasks.diagnose.spec import AuditOptions
from foldproof.tasks.diagnose.trace.run import BoundForecaster, ReferenceRun
from foldproof.tasks.diagnose.trace.trace import TracedBatch
from tests.tasks.diagnose.small import DATES, FOLD, forecaster, keyed, leaks, quick, rows

DATA = rows()


def marking(*marks):
    """A forecaster that traces more stages: (stage, (data, features) -> value)."""

    def mark(trace, data, made):
        for stage, make in marks:
            trace(stage, make(data, made))

    return forecaster(mark=mark)


def samples(dates):
    return lambda data, made: pd.MultiIndex.from_frame(
        data.loc[data["date"].isin(dates), ["date", "symbol"]]
    )


def target(ahead, known=None):
    """The sum of ``ahead`` later x, and when it is known, by default truly."""

    def make(data, made=None):
        groups = data.groupby("symbol")
        later = sum(groups["x"].shift(-k) for k in range(1, ahead + 1))
        ends = groups["date"].shift(-(ahead if known is None else known))
        return keyed(data, pd.DataFrame({"target": later, "label_end": ends}))

    return make


def found(report, test):
    return [f for f in report.findings if f.test == test]


def test_tests_without_their_inputs_do_not_run():
    tests = {f.test for f in quick(forecaster(mark=None)).findings}
    assert tests == {"train_invariance", "serve_invariance", "purge", "fold_order", "duplicates"}


@pytest.mark.parametrize(("last", "reach"), [(50, 0), (51, 0), (52, 0), (53, 1), (54, 2)])
def test_the_purge_of_traced_samples_by_hand(last, reach):
    """A label over 0 rows beyond ``last`` - 1 reaches into the test block from date 52 on."""
    blocks = marking(("folds", samples(DATES[10:last])), ("target", target(1)))
    (purge,) = found(quick(blocks), "purge")
    # the label of date k is known on date k + 1; test dates are 52 to 73
    met = sum(k + 1 >= 52 for k in range(10, last)) * 6
    assert purge.value == met
    assert purge.verdict == ("LEAK" if met else "CLEAN")
    (order,) = found(quick(blocks), "fold_order")
    assert order.value == max(0, last - 52)
    assert reach == order.value


def test_the_embargo_of_traced_samples():
    blocks = marking(("folds", samples(DATES[10:50])), ("target", target(1)))
    for embargo, leak in ((1, False), (2, True)):
        report = quick(blocks, embargo=embargo)
        assert bool([f for f in leaks(report) if f.test == "purge"]) is leak


def test_training_rows_among_the_test_rows():
    (shared, *_) = found(quick(marking(("folds", samples(DATES[10:56])))), "duplicates")
    assert (shared.verdict, shared.value) == ("LEAK", 4 * 6)
    (alone, *_) = found(quick(marking(("folds", samples(DATES[10:50])))), "duplicates")
    assert (alone.verdict, alone.value) == ("CLEAN", 0)


def test_point_in_time_changes_only_cells_known_late():
    data = DATA.assign(
        book=np.random.default_rng(3).normal(size=len(DATA)),
        published=DATA["date"] + pd.Timedelta(days=5),
    )

    def reads(delay):
        def forecast(rows, fold, trace):
            scores = keyed(rows, rows.groupby("symbol")["book"].shift(delay)).fillna(0.0)
            return scores[scores.index.get_level_values(0).isin(fold.test_dates)]

        return forecast

    known = {"known_at": {"book": "published"}}
    (early,) = found(quick(reads(0), data, **known), "point_in_time")
    assert (early.verdict, early.stage) == ("LEAK", "raw data")
    assert "read book before they were known" in early.detail
    (late,) = found(quick(reads(5), data, **known), "point_in_time")
    assert (late.verdict, late.value) == ("CLEAN", 0.0)


def test_a_target_that_begins_on_its_own_date_is_a_leak():
    same_day = marking(("target", lambda data, made: keyed(data, 2 * data["x"])))
    (execution,) = found(quick(same_day), "execution")
    assert (execution.verdict, execution.stage) == ("LEAK", "target")
    (honest,) = found(quick(marking(("target", target(2)))), "execution")
    assert honest.verdict == "CLEAN"


@pytest.mark.parametrize("options", [{}, {"known_at": {"y": "known"}}])
def test_a_ready_made_target_is_unknown_and_informs_only(options):
    """How a column was computed is unknown, with or without known_at."""
    data = DATA.assign(known=DATA["date"] + pd.Timedelta(days=1))
    report = quick(forecaster(), data, target=lambda rows: keyed(rows, rows["y"]), **options)
    (execution,) = found(report, "execution")
    assert (execution.verdict, execution.counts) == ("UNKNOWN", False)
    assert report.verdict == "CLEAN"


def test_a_ready_made_target_is_recognised():
    data = DATA.assign(known=DATA["date"] + pd.Timedelta(days=1))
    options = AuditOptions(known_at={"y": "known"})
    reference = ReferenceRun.of(BoundForecaster(forecaster(), FOLD), data, options)
    assert is_ready_made(reference, lambda rows: rows["x"])
    assert is_ready_made(reference, lambda rows: 2 * rows["y"])
    assert not is_ready_made(reference, lambda rows: 2 * rows["x"])
    assert not is_ready_made(reference, lambda rows: 1 / 0)


def test_the_usual_distance_to_stated_ends():
    data = rows()
    reference = ReferenceRun.of(BoundForecaster(forecaster(), FOLD), data)
    ends = data.groupby("symbol")["date"].shift(-3)
    assert usual_ahead(ends, reference) == 3
    assert usual_ahead(data["date"], reference) == 1  # a cut lies after the row
    assert usual_ahead(ends.where(data["date"] < DATES[0]), reference) == 1


def test_declared_label_ends_are_compared_with_measured_ones():
    for known, verdict in ((None, "CLEAN"), (1, "LEAK")):
        marked = marking(("target", target(3, known)))
        labels = target(3)
        report = quick(marked, target=lambda rows, labels=labels: labels(rows)["target"])
        declared = [f for f in found(report, "purge") if f.stage == "target"]
        assert [f.verdict for f in declared] == [verdict]
        if verdict == "CLEAN":
            assert declared[0].tested.endswith("3 dates; 6 cuts"), "looked for where it is stated"


class BatchMean(torch.nn.Module):
    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, windows):
        last = windows[:, -1, 0]
        return last - self.share * last.mean()


@pytest.mark.parametrize(("share", "verdict"), [(0.0, "CLEAN"), (1.0, "LEAK")])
def test_a_traced_network_is_tested(share, verdict):
    def mark(trace, data, made):
        draw = torch.Generator().manual_seed(0)
        windows = torch.randn(24, 3, 2, generator=draw, dtype=torch.float64)
        dates = torch.arange(24) // 6 + 18300
        trace.network(BatchMean(share), windows, dates, symbols=torch.arange(24) % 6)

    report = quick(forecaster(mark=mark), quick=False)
    modes = found(report, "batch_composition")
    assert {f.stage for f in modes} == {"network in training mode", "network in eval mode"}
    assert {f.verdict for f in modes} == {verdict}
    assert ("batch_composition" in {f.test for f in leaks(report)}) is (verdict == "LEAK")


@pytest.mark.parametrize("levels", [["date", "symbol"], ["symbol", "date"]])
def test_a_traced_batch_without_symbols_takes_those_of_the_scores_it_yields(levels):
    """Windows in the order of date and symbol, or of symbol and date."""
    keys = pd.MultiIndex.from_product([DATES[:5], list("ABC")], names=["date", "symbol"])
    scores = pd.Series(np.random.default_rng(0).normal(size=15), keys)
    ordered = scores.sort_index(level=levels)
    days = torch.tensor(ordered.index.get_level_values("date").as_unit("s").asi8 // 86400)
    windows = torch.tensor(ordered.to_numpy())[:, None, None]
    batch = TracedBatch(BatchMean(0.0), windows, days, None, None)
    assert list(names_of_samples(batch, scores)) == list(ordered.index.get_level_values("symbol"))
    other = replace(batch, windows=windows.flip(0))
    assert names_of_samples(other, scores) is None  # not the scores of these windows
    given = replace(batch, symbols=np.array(["X"] * 15))
    assert list(names_of_samples(given, scores)) == ["X"] * 15


def test_a_leak_of_a_traced_network_names_date_and_symbol():
    def mark(trace, data, made):
        draw = torch.Generator().manual_seed(0)
        windows = torch.randn(24, 3, 2, generator=draw, dtype=torch.float64)
        symbols = np.array(list("ABCDEF") * 4)
        trace.network(BatchMean(1.0), windows, torch.arange(24) // 6 + 18300, symbols=symbols)

    report = quick(forecaster(mark=mark), quick=False)
    for finding in (f for f in leaks(report) if f.stage.startswith("network")):
        assert finding.witness.date.startswith("2020-02-")
        assert finding.witness.symbol[0] in "ABCDEF"


def test_a_failing_test_reports_the_reason():
    (finding,) = findings_or_unknown("drift", "features", lambda: 1 / 0)
    assert (finding.verdict, finding.counts) == ("UNKNOWN", False)
    assert finding.detail == "ZeroDivisionError: division by zero"
    kept = findings_or_unknown("drift", "features", lambda: [finding])
    assert kept == [finding]


def test_a_full_audit_of_a_small_panel_raises_no_false_alarm():
    labels = target(1)
    whole = marking(("target", labels), ("folds", samples(DATES[10:50])))
    report = quick(whole, quick=False, cuts=6, target=lambda rows: labels(rows)["target"])
    assert not leaks(report)
    tests = {f.test for f in report.findings}
    assert {"delay_curve", "feature_screen", "drift", "execution", "survivorship"} <= tests


@pytest.mark.parametrize(
    ("share", "size", "verdict"),
    [(0.0, "identical", "CLEAN"), (1e-6, "rounding only", "CLEAN"), (1e-3, "material", "LEAK")],
)
def test_three_sizes_of_a_move_are_distinguished(share, size, verdict):
    def forecast(data, fold):
        scores = keyed(data, (data["x"] + share * data["x"].mean()).astype(np.float32))
        return scores[scores.index.get_level_values(0).isin(fold.test_dates)]

    report = quick(forecast)
    (serving,) = found(report, "serve_invariance")
    assert (serving.verdict, report.verdict) == (verdict, verdict)
    assert str(serving.size) == size
