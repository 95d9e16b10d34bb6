"""Traced values are returned unchanged and recorded as copies."""

import threading

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.tasks.diagnose.findings.catalogue import STAGES
from foldproof.tasks.diagnose.trace.trace import FITTED, FittedModels, Recorder, Trace, snapshot
from foldproof.tasks.diagnose.trace.values import changes
from tests.tasks.diagnose.small import DATES, features, forecaster, keyed, leaks, quick, rows

DATA = rows()


@pytest.fixture
def recorder():
    return Recorder(DATA)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("value", [3, "x", None, features(DATA), torch.ones(2), {"a": 1}])
def test_every_stage_returns_its_value(stage, value):
    for trace in (Trace(), Recorder(DATA)):
        assert trace(stage, value) is value
        assert trace(stage, value, "name") is value


def test_values_with_and_without_dates_are_distinguished(recorder):
    recorder("features", features(DATA))
    recorder("selection", ["x"], "chosen")
    table, other = recorder.notes
    assert (table.name, other.name) == ("features", "chosen")
    assert table.table is not None
    assert not table.content
    assert other.table is None
    assert other.content == {"0": "'x'"}


def test_an_unknown_stage_is_refused_with_the_nearest_name(recorder):
    with pytest.raises(ValueError, match="it is 'feature'; did you mean features"):
        recorder("feature", 1)


@pytest.mark.parametrize(
    "value",
    [
        features(DATA).to_numpy(),
        torch.zeros(len(DATA)),
        features(DATA).set_axis(np.arange(len(DATA)) + 10**6),
    ],
)
def test_rows_without_dates_are_refused_with_the_remedy(recorder, value):
    with pytest.raises(ValueError, match=r"'z' has one row for each of the 480.*date and symbol"):
        recorder("features", value, "z")
    recorder("features", value[:3], "z")  # anything shorter may be weights


@pytest.mark.parametrize("stage", FITTED)
def test_a_numbered_result_of_a_fit_has_no_dates(recorder, stage):
    recorder(stage, pd.DataFrame({"weight": [1.0, 2.0]}))
    assert recorder.notes[0].table is None


def test_later_changes_do_not_alter_recorded_values(recorder):
    table, weights, module = features(DATA), np.ones(3), torch.nn.Linear(2, 1)
    known = keyed(DATA, DATA[["x"]].assign(label_end=DATA["date"]))
    noted = {"features": table, "selection": weights, "network": module, "target": known}
    for stage, value in noted.items():
        recorder(stage, value)
    before = [snapshot(module), table.to_numpy().copy(), DATES[0]]
    table.iloc[:] = 0.0
    weights[:] = 7.0
    known.iloc[:, 1] = DATES[-1]
    with torch.no_grad():
        module.weight.add_(1.0)
    features_note, selection, network, target = recorder.notes
    np.testing.assert_array_equal(np.sort(features_note.table.values, 0), np.sort(before[1], 0))
    assert selection.content[""].tolist() == [1.0, 1.0, 1.0]
    assert changes(before[0], network.content) == []
    assert target.table.ends[0] == DATES[0].to_datetime64()


def test_a_recorded_network_and_its_batch_are_copies(recorder):
    module = torch.nn.Linear(3, 1)
    tensors = [torch.zeros(2, 1, 3), torch.zeros(2).long(), torch.zeros(2), torch.zeros(2).long()]
    assert recorder.network(module, *tensors) is module
    with torch.no_grad():
        module.weight.fill_(9.0)
    for one in tensors:
        one.fill_(9)
    (batch,) = recorder.batches
    assert float(batch.module.weight.detach().max()) < 1
    for one in (batch.windows, batch.dates, batch.target, batch.symbols):
        assert float(one.max()) == 0


def test_a_model_is_trained_once_and_used_again(recorder):
    calls = []

    def fit():
        calls.append(1)
        return {"weights": np.ones(2)}

    model = recorder.train(fit)
    model["weights"][:] = 5.0  # scoring may well change a model
    again = Recorder(DATA, recorder.reusable)
    reused = again.train(fit)
    assert len(calls) == 1
    assert reused["weights"].tolist() == [1.0, 1.0]
    reused["weights"][:] = 7.0
    assert Recorder(DATA, again.reusable).train(fit)["weights"].tolist() == [1.0, 1.0]
    further = again.train(lambda: "another")  # more trainings than before: the rest are done
    assert further == "another"
    assert Trace().train(lambda: 3) == 3


def test_fitted_models_are_used_in_turn_and_not_recorded():
    models = [{"a": [1.0]}, {"b": [2.0]}]
    trace = FittedModels(models)
    found = [trace.train(lambda: {"c": [3.0]}) for _ in range(3)]
    assert found == [{"a": [1.0]}, {"b": [2.0]}, {"c": [3.0]}]  # there is no third
    found[0]["a"][0] = 9.0
    assert models[0] == {"a": [1.0]}, "a copy"
    assert FittedModels(None).train(lambda: 4) == 4
    assert trace("no such stage", rows().to_numpy()) is not None, "what is not kept is not checked"


def test_a_model_that_cannot_be_copied_is_trained_anew(recorder):
    recorder.train(lambda: [1])
    assert recorder.reusable == [[1]]
    lock = threading.Lock()
    assert recorder.train(lambda: lock) is lock
    assert recorder.reusable is None
    assert "cannot pickle" in recorder.not_copied["training"]


class Locked:
    def __init__(self, x, y):
        self.slope, self.lock = float((x[:, 0] * y).mean()), threading.Lock()

    def predict(self, x):
        return x[:, 0] * self.slope


def test_an_audit_of_a_model_that_cannot_be_copied_works_and_reports_it():
    report = quick(forecaster(Locked))
    assert report.verdict == "CLEAN"
    assert "trained at every cut, as its model cannot be copied" in report.findings[0].tested
    (first, *_) = leaks(quick(forecaster(Locked, everything=True)))
    assert (first.test, first.stage) == ("train_invariance", "training")
    assert first.witness.column == "training.slope"


def test_a_network_that_cannot_be_copied_is_unknown_and_informs_only():
    def mark(trace, data, made):
        module = torch.nn.Linear(1, 1)
        module.held = module.weight * 2  # no leaf of the graph: torch refuses to copy it
        trace.network(module, torch.zeros(2, 1, 1), torch.zeros(2).long())

    report = quick(forecaster(mark=mark), quick=False)
    (found,) = [f for f in report.findings if f.test == "batch_composition"]
    assert (found.verdict, found.counts) == ("UNKNOWN", False)
    assert "cannot be copied" in found.detail


def test_the_last_table_and_samples_of_a_stage_are_returned(recorder):
    index = pd.MultiIndex.from_frame(DATA[["date", "symbol"]])
    assert recorder.table("features") is None
    assert recorder.samples("folds") is None
    recorder("features", features(DATA))
    recorder("features", features(DATA)[["x"]])
    recorder("folds", index[:5])
    assert recorder.table("features").columns == ("x",)
    assert recorder.samples("folds").equals(index[:5])
