"""One cause for each leak, its consequences, and what mends it."""

import numpy as np
import pytest
import torch
from torch import nn

from foldproof.tasks.diagnose import LeakReport, Verdict, audit_module
from foldproof.tasks.diagnose.findings.catalogue import STAGES
from foldproof.tasks.diagnose.findings.causes import BATCHES, EVAL, FIXES, causes_of
from tests.tasks.diagnose.modules import Layer, Reader, Stepper, built, instance_norm
from tests.tasks.report.audit_example import LEAK, finding, honest, leaking

DATES = np.repeat(np.arange("2024-01-01", "2024-01-07", dtype="datetime64[D]"), 4)
SYMBOLS = np.tile(["A", "B", "C", "D"], 6)
WINDOWS = torch.randn(len(DATES), 5, 3, generator=torch.Generator().manual_seed(1))


class OverSamples(nn.Module):
    """``batch_first`` left out: the LSTM runs over the samples."""

    def __init__(self, kind):
        super().__init__()
        self.rnn, self.head = kind(3, 6), nn.Linear(6, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1]).squeeze(-1)


def partly_training():
    """Evaluated, but for the batch norm."""
    module = Reader(nn.BatchNorm1d(6)).eval()
    module.norm.train()
    return module


FAULTS = {
    "batch norm in training mode": (lambda: Reader(nn.BatchNorm1d(6)), EVAL),
    "one part in training mode": (partly_training, f"{EVAL}: norm"),
    "batch norm without running statistics": (
        lambda: Reader(nn.BatchNorm1d(6, track_running_stats=False)).eval(), BATCHES,
    ),
    "batch mean": (lambda: Reader(Layer(lambda h: h - h.mean(0))).eval(), BATCHES),
    "LSTM over samples": (lambda: OverSamples(nn.LSTM).eval(), "pass batch_first=True"),
    "GRU over samples": (lambda: OverSamples(nn.GRU).eval(), "pass batch_first=True"),
    "norm over steps": (lambda: Stepper(instance_norm()).eval(), "read the last step only"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "fix"), list(FAULTS.values()), ids=list(FAULTS))
@pytest.mark.parametrize("order", ["by date", "by symbol", "newest first"])
def test_a_network_that_leaks_has_one_cause_and_the_fix_that_mends_it(make, fix, order):
    places = {
        "by date": np.arange(24),
        "by symbol": np.lexsort([DATES, SYMBOLS]),
        "newest first": np.arange(24)[::-1].copy(),
    }[order]
    module = built(make)
    report = audit_module(module, WINDOWS[places], DATES[places], symbols=SYMBOLS[places])
    assert report.verdict is Verdict.LEAK
    (cause,) = causes_of(report)
    assert cause.fix.startswith(fix)
    leaks = [f for f in report.findings if f.verdict is Verdict.LEAK and f.counts]
    assert {id(f) for f in (cause.finding, *cause.consequences)} == {id(f) for f in leaks}
    witnesses = [f.witness for f in leaks if f.witness and f.witness.date]
    assert witnesses
    assert all(one.symbol.split(",")[0] in {"A", "B", "C", "D"} for one in witnesses)


def test_the_fix_for_training_mode_mends_it():
    module = built(FAULTS["batch norm in training mode"][0])
    assert audit_module(module.eval(), WINDOWS, DATES).verdict is Verdict.CLEAN


def test_scores_of_a_leaking_network_are_its_consequence():
    network = finding("batch_composition", "network in training mode", Verdict.LEAK, 1.0)
    scores = finding("serve_invariance", "scoring", Verdict.LEAK, 2.0)
    other = finding("purge", "folds", Verdict.LEAK, 3.0)
    found = causes_of(LeakReport("x", (scores, network, other)))
    assert [(one.finding.test, len(one.consequences)) for one in found] == [
        ("purge", 0), ("batch_composition", 1),
    ]  # fmt: skip
    assert [one.finding for one in causes_of(LeakReport("x", (scores,)))] == [scores]


def test_two_tests_that_name_one_value_have_one_cause():
    column = LEAK.witness.column
    train = finding("train_invariance", "features", Verdict.LEAK, 900.0, witness=LEAK.witness)
    (cause,) = causes_of(LeakReport("x", (train, LEAK)))
    assert (cause.finding, cause.consequences) == (LEAK, (train,))
    assert cause.fix == FIXES["features"]
    assert cause.finding.witness.column == column


def test_findings_that_inform_and_clean_ones_have_no_cause():
    assert causes_of(honest()) == ()
    (cause,) = causes_of(leaking())
    assert cause.finding.test == LEAK.test


def test_every_stage_has_a_fix():
    assert set(FIXES) == set(STAGES) - {"network"}
