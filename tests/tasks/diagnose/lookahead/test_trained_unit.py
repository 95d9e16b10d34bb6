"""Units of every variant: controls leak, all others are clean; planted faults in scoring."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import foldproof.tasks.diagnose.lookahead.trained_unit as unit_module
from foldproof.models.normalizers import VARIANTS, HiddenNormalizer, Variant
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.findings.finding import overall
from foldproof.tasks.diagnose.lookahead.trained_unit import diagnose_unit, different
from foldproof.tasks.train import forecasts_of, train_unit
from tests.tasks.diagnose.certify.planted import MovingBuffer

SOME_VARIANTS = (
    "cs_rank",
    "batch_norm",
    "batch_norm_date",
    "causal_batch_norm",
    "full_sample_zscore",
)
"""One of each kind of coupling, and a control; every variant: tests/tasks/diagnose/certify."""


class BatchMean(HiddenNormalizer):
    """Subtracts the mean of whoever shares the pass, scoring included."""

    def __init__(self, size):
        super().__init__()

    def forward(self, hidden, dates):
        return hidden - hidden.mean(0).detach()


class DateMean(HiddenNormalizer):
    """Subtracts the mean of the own date."""

    def __init__(self, size):
        super().__init__()

    def forward(self, hidden, dates):
        same = (dates.unsqueeze(1) == dates).to(hidden.dtype)
        return hidden - same @ hidden / same.sum(1, keepdim=True)


class StuckInTraining(HiddenNormalizer):
    """Batch norm that ignores eval()."""

    def __init__(self, size):
        super().__init__()
        self.norm = nn.BatchNorm1d(size)

    def train(self, mode=True):
        return super().train(True)

    def forward(self, hidden, dates):
        return self.norm(hidden) if len(hidden) > 1 else hidden


def variant(**given):
    return Variant(title="own", formula="own", source="test", **given)


BATCH_MEAN = variant(hidden=BatchMean)
DATE_MEAN_CLAIMED = variant(hidden=DateMean, coupling="date", training_coupling="date")
DATE_MEAN_DENIED = variant(hidden=DateMean)
MOVING_BUFFER = variant(hidden=MovingBuffer)
STUCK = variant(hidden=StuckInTraining, training_coupling="batch")


@pytest.fixture
def own(trained, monkeypatch):
    """Trains a variant of this file."""
    import sys
    import types

    module = types.ModuleType("own_variants")
    for name in ("BATCH_MEAN", "DATE_MEAN_CLAIMED", "DATE_MEAN_DENIED", "MOVING_BUFFER", "STUCK"):
        setattr(module, name, globals()[name])
    monkeypatch.setitem(sys.modules, "own_variants", module)
    return lambda name: trained(f"own_variants:{name}")


def named(findings, test, stage=None):
    (found,) = [f for f in findings if f.test == test and stage in (None, f.stage)]
    return found


@pytest.mark.parametrize("name", SOME_VARIANTS)
def test_controls_leak_and_all_other_variants_are_clean(name, trained, panel):
    findings = diagnose_unit(trained(name), panel, None, 2, 0)
    verdict = Verdict.LEAK if VARIANTS[name].control else Verdict.CLEAN
    assert overall(findings) is verdict
    assert [f.test for f in findings] == [
        "serve_invariance", "batch_composition", "batch_composition", "state_purity",
        "state_purity",
    ]  # fmt: skip
    serve = findings[0]
    assert (serve.value > 0.01) if VARIANTS[name].control else (serve.value == 0.0)
    training = named(findings, "batch_composition", "training batches")
    assert not training.counts
    assert f"claimed: {VARIANTS[name].training_coupling}" in training.detail
    assert "broken" not in training.detail
    couples = VARIANTS[name].training_coupling == "batch"
    assert ("measured in the network: batch" in training.detail) == couples


@pytest.mark.parametrize("name", ["cs_rank", "full_sample_zscore"])
def test_training_on_chunks_is_audited_like_training_on_windows(name, trained, panel):
    unit = trained(name).unit
    training = replace(unit.training, samples="chunks", chunk=20, epochs=1)
    chunked = train_unit(replace(unit, training=training), panel)
    findings = diagnose_unit(chunked, panel, train_unit, 1, 0)
    verdict = Verdict.LEAK if VARIANTS[name].control else Verdict.CLEAN
    assert overall(findings) is verdict
    assert named(findings, "train_invariance").verdict is verdict


@pytest.mark.parametrize("name", ["zscore", "full_sample_zscore"])
def test_train_invariance_retrains_once_and_again_to_confirm_a_leak(name, trained, panel):
    calls = []

    def retrain(unit, changed):
        calls.append(changed)
        return train_unit(unit, changed)

    finding = named(diagnose_unit(trained(name), panel, retrain, 1, 0), "train_invariance")
    control = VARIANTS[name].control
    assert finding.verdict is (Verdict.LEAK if control else Verdict.CLEAN)
    assert len(calls) == 1 + control
    if control:
        assert "statistics.center" in finding.detail
    start = trained(name).unit.fold.test.start
    assert np.array_equal(calls[0].values[:start], panel.values[:start])
    assert not (calls[0].values[start:] == panel.values[start:]).any()
    late = ~(panel.label_end < panel.dates[start])
    assert np.array_equal(calls[0].target[~late], panel.target[~late])


def test_training_that_does_not_repeat_is_unknown(trained, panel):
    count = iter(range(9))

    def retrain(unit, changed):
        return train_unit(replace(unit, seed=1 + next(count)), changed)

    finding = named(diagnose_unit(trained("zscore"), panel, retrain, 1, 0), "train_invariance")
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.evidence == "training on the same panel does not repeat"


def test_training_that_reads_the_test_block_is_caught(trained, panel):
    """The epoch is chosen by the test block: weights may agree, the choice does not."""

    def chooses_on_test(unit, changed):
        result = train_unit(unit, changed)
        block = slice(unit.fold.test.start, unit.fold.test.stop)
        return replace(result, best_epoch=int(np.abs(changed.values[block]).sum()) % 1000)

    one = trained("zscore")
    peeked = replace(one, best_epoch=chooses_on_test(one.unit, panel).best_epoch)
    finding = named(diagnose_unit(peeked, panel, chooses_on_test, 1, 0), "train_invariance")
    assert finding.verdict is Verdict.LEAK
    assert finding.detail == "differ: best_epoch"
    assert finding.value == 1.0


def test_a_batch_mean_is_caught_although_it_is_detached(own, panel):
    findings = diagnose_unit(own("BATCH_MEAN"), panel, None, 1, 0)
    finding = named(findings, "batch_composition", "network")
    assert (finding.verdict, finding.evidence) == (Verdict.LEAK, "exact")
    assert finding.witness.date <= finding.witness.cut


def test_a_claim_on_scored_forecasts_is_compared_with_the_measured_coupling(own, panel):
    claimed = diagnose_unit(own("DATE_MEAN_CLAIMED"), panel, None, 1, 0)
    assert overall(claimed) is Verdict.CLEAN
    denied = diagnose_unit(own("DATE_MEAN_DENIED"), panel, None, 1, 0)
    finding = named(denied, "batch_composition", "network")
    assert (finding.verdict, finding.evidence) == (Verdict.LEAK, "claim contradicted")
    assert "which contradicts the claim" in finding.detail


def test_scoring_that_moves_a_buffer_is_caught(own, panel):
    findings = diagnose_unit(own("MOVING_BUFFER"), panel, None, 1, 0)
    finding = named(findings, "state_purity", "scoring")
    assert finding.verdict is Verdict.LEAK
    assert finding.detail == "hidden.passes changed"


def test_scoring_in_training_mode_is_caught(own, panel):
    findings = diagnose_unit(own("STUCK"), panel, None, 1, 0)
    finding = named(findings, "state_purity", "scoring")
    assert finding.verdict is Verdict.LEAK
    assert "hidden.norm ran in training mode" in finding.detail
    assert "hidden.norm.running_mean changed" in finding.detail


def test_statistics_fitted_past_training_are_caught(trained, panel, monkeypatch):
    def fit_on_everything(unit, given):
        everything = replace(unit, fold=replace(unit.fold, train=range(len(given.dates))))
        return honest(everything, given)

    honest = unit_module.fit_statistics
    monkeypatch.setattr(unit_module, "fit_statistics", fit_on_everything)
    finding = named(diagnose_unit(trained("zscore"), panel, None, 2, 0), "serve_invariance")
    assert finding.verdict is Verdict.LEAK


def test_stored_forecasts_of_another_network_are_not_clean(trained, panel):
    one = trained("zscore")
    other = one.forecasts.assign(forecast=one.forecasts["forecast"] * 1.01)
    findings = diagnose_unit(replace(one, forecasts=other), panel, None, 1, 0)
    finding = named(findings, "state_purity", "stored forecasts")
    assert finding.verdict is Verdict.UNKNOWN
    assert overall(findings) is Verdict.UNKNOWN


def test_each_cut_costs_two_partial_passes_and_the_panel_is_unchanged(trained, panel, monkeypatch):
    rows = []
    honest = unit_module.score

    def counted(trained, panel, block, statistics=None):
        rows.append(len(block))
        return honest(trained, panel, block, statistics)

    monkeypatch.setattr(unit_module, "score", counted)
    one, before = trained("zscore"), (panel.values.copy(), panel.target.copy())
    diagnose_unit(one, panel, None, 3, 0)
    test = len(one.unit.fold.test)
    assert rows[0] == test
    assert len(rows) == 1 + 2 * 3
    assert max(rows) <= test
    assert np.array_equal(before[0], panel.values, equal_nan=True)
    assert np.array_equal(before[1], panel.target, equal_nan=True)
    assert different(one, one) == []
    assert forecasts_of(one, panel).equals(one.forecasts)
