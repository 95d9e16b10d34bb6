"""Planted coupling and peeking modules beside honest ones, in both modes."""

import numpy as np
import pytest
import torch
from torch import nn

from foldproof.tasks.diagnose import Verdict, audit_module
from foldproof.tasks.diagnose.network.coupling import perturbed
from tests.tasks.diagnose.modules import (
    Counting,
    Dated,
    Layer,
    Reader,
    Remembering,
    Stepper,
    built,
    causal_norm,
    instance_norm,
    rank,
)
from tests.tasks.diagnose.noise_panel import Contrarian, noise_panel

COUPLED = {"batch_composition", "jacobian", "nan_taint", "completeness_split"}
PEEKING = {"serve_invariance", "jacobian", "nan_taint"}

DATES = np.repeat(np.arange("2024-01-01", "2024-01-07", dtype="datetime64[D]"), 4)


@pytest.fixture(scope="module")
def windows():
    return torch.randn(len(DATES), 5, 3, generator=torch.Generator().manual_seed(1))


LEAKS = {
    "batch norm in training mode": (lambda: Reader(nn.BatchNorm1d(6)), {*COUPLED, "state_purity"}),
    "batch norm without running statistics": (
        lambda: Reader(nn.BatchNorm1d(6, track_running_stats=False)).eval(),
        COUPLED,
    ),
    "detached batch mean": (
        lambda: Reader(Layer(lambda h: h - h.mean(0).detach())).eval(),
        COUPLED - {"jacobian"},
    ),
    "batch rank": (lambda: Reader(first=Layer(rank)).eval(), {"batch_composition"}),
    "mean of what is not missing": (
        lambda: Reader(Layer(lambda h: h - h.nanmean(0))).eval(),
        COUPLED - {"nan_taint"},
    ),
    "batch maximum": (lambda: Reader(Layer(lambda h: h / h.abs().amax())).eval(), COUPLED),
    "later dates": (lambda: Dated(lambda one, other: other >= one).eval(), COUPLED),
    "buffers move": (lambda: Counting(used=0.0).eval(), {"state_purity"}),
    "buffers move and show": (lambda: Counting(used=1.0).eval(), {"state_purity"}),
    "hidden state": (lambda: Remembering().eval(), {"state_purity"}),
    "instance norm per step": (lambda: Stepper(instance_norm()).eval(), PEEKING),
    "bidirectional per step": (lambda: Stepper(both=True).eval(), PEEKING),
    "centred convolution": (
        lambda: nn.Sequential(
            Layer(lambda x: x.transpose(1, 2)),
            nn.Conv1d(3, 2, 3, padding=1),
            Layer(lambda x: x.transpose(1, 2)),
        ).eval(),
        PEEKING,
    ),
}
"""What is planted, and the tests that catch it: each of the others is blind to it."""
CLEAN = {
    "plain": Reader,
    "layer norm": lambda: Reader(nn.LayerNorm(6)),
    "batch norm in eval mode": lambda: Reader(nn.BatchNorm1d(6)).eval(),
    "instance norm, last step": lambda: Reader(first=instance_norm()).eval(),
    "dropout in training mode": lambda: Reader(nn.Dropout(0.5)),
    "functional dropout": lambda: Reader(Layer(lambda h: nn.functional.dropout(h, 0.5))),
    "steps": Stepper,
    "cumulative norm per step": lambda: Stepper(causal_norm()).eval(),
    "causal convolution": lambda: nn.Sequential(
        Layer(lambda x: nn.functional.pad(x.transpose(1, 2), (2, 0))),
        nn.Conv1d(3, 2, 3),
        Layer(lambda x: x.transpose(1, 2)),
    ).eval(),
    "same date": lambda: Dated(lambda one, other: other == one).eval(),
    "earlier dates": lambda: Dated(lambda one, other: other < one).eval(),
    "plain LSTM with a tuple": lambda: nn.LSTM(3, 6, batch_first=True),
}


@pytest.mark.parametrize(("make", "tests"), list(LEAKS.values()), ids=list(LEAKS))
def test_a_planted_leak_is_caught_by_the_right_tests(make, tests, windows):
    report = audit_module(built(make), windows, DATES)
    assert report.verdict is Verdict.LEAK
    assert {f.test for f in report.findings if f.verdict is Verdict.LEAK and f.counts} == tests


@pytest.mark.parametrize("make", list(CLEAN.values()), ids=list(CLEAN))
def test_an_honest_module_passes(make, windows):
    report = audit_module(built(make), windows, DATES)
    assert report.verdict is Verdict.CLEAN
    assert len([f for f in report.findings if f.counts]) >= 2


@pytest.mark.parametrize("name", ["dropout in training mode", "functional dropout"])
def test_dropout_is_not_reported_as_coupling(name, windows):
    for finding in audit_module(built(CLEAN[name]), windows, DATES).findings:
        if finding.test == "batch_composition":
            assert finding.detail == "depends on no other sample"


@pytest.mark.parametrize("training", [True, False])
def test_the_other_mode_informs_only(training, windows):
    module = built(lambda: Reader(nn.BatchNorm1d(6))).train(training)
    findings = audit_module(module, windows, DATES).findings
    composition = [f for f in findings if f.test == "batch_composition"]
    assert {(f.stage, f.verdict, f.counts) for f in composition} == {
        ("network in training mode", Verdict.LEAK, training),
        ("network in eval mode", Verdict.CLEAN, not training),
    }


def test_the_size_of_coupling_equals_a_hand_calculation():
    """f = x - mean of the batch: samples changed by c in sum move the others by -c / B."""
    windows = torch.arange(6.0, dtype=torch.float64).view(6, 1, 1)
    module = Layer(lambda x: (x - x.mean(0)).flatten()).eval()
    finding = audit_module(module, windows, np.arange(6), per_step=False).findings[0]
    change = (perturbed(windows, 0) - windows).flatten().numpy()
    moves = {cut: -change[cut + 1 :].sum() / 6 for cut in (0, 1, 3, 4)}  # four cuts of five
    cut = max(moves, key=lambda cut: abs(moves[cut]))
    assert finding.witness.cut == str(cut)
    moved = finding.witness.after - finding.witness.before
    assert moved == pytest.approx(moves[cut], rel=1e-12)
    assert finding.value == pytest.approx(abs(moves[cut]) / np.arange(6.0).std(), rel=1e-12)


def test_the_module_and_the_random_state_do_not_change(windows):
    module = Reader(nn.BatchNorm1d(6))
    module.norm.eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    given, state = windows.clone(), torch.get_rng_state()
    audit_module(module, windows, DATES)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert [part.training for part in module.modules()] == modes
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(given, windows)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_gradients_work_inside_no_grad_and_inference_mode(around, windows):
    with around():
        module = built(lambda: Dated(lambda one, other: other >= one)).eval()
        report = audit_module(module, windows.clone(), DATES)
    assert {f.test for f in report.findings if f.verdict is Verdict.LEAK and f.counts} == COUPLED


def test_a_part_left_in_training_mode_is_named(windows):
    module = Reader(nn.BatchNorm1d(6)).eval()
    module.norm.train()
    report = audit_module(module, windows, DATES)
    assert report.verdict is Verdict.LEAK
    (state,) = [f for f in report.findings if f.test == "state_purity" and f.counts]
    assert "norm is in training mode" in state.detail
    assert "norm.running_mean changed" in state.detail


def test_coupling_to_the_same_date_is_reported_as_no_look_ahead(windows):
    module = built(CLEAN["same date"])
    finding = audit_module(module, windows, DATES).findings[0]
    assert finding.verdict is Verdict.CLEAN
    assert "the same date" in finding.detail
    assert "not look-ahead" in finding.detail


def test_coupling_within_one_date_is_unknown(windows):
    one = np.repeat(DATES[:1], len(windows))
    coupled = audit_module(built(lambda: Reader(nn.BatchNorm1d(6))), windows, one).findings[0]
    assert coupled.verdict is Verdict.UNKNOWN
    assert "all samples are of one date" in coupled.evidence
    assert audit_module(built(Reader), windows, one).verdict is Verdict.CLEAN


def test_a_module_that_casts_to_float32_is_tested_in_float32(windows):
    insists = nn.Sequential(Layer(lambda x: x.float()), Reader())
    finding = audit_module(insists, windows, DATES).findings[0]
    assert finding.verdict is Verdict.CLEAN
    assert finding.threshold == 1e-5


def test_a_module_that_does_not_repeat_or_run_is_unknown(windows):
    draw = np.random.default_rng(0)
    for function, reason in (
        (lambda x: x.mean((1, 2)) + draw.normal(), "two runs with the same random numbers differ"),
        (lambda x: x.reshape(7, -1), "RuntimeError"),
    ):
        report = audit_module(Layer(function).eval(), windows, DATES)
        assert report.verdict is Verdict.UNKNOWN
        assert reason in report.findings[0].evidence


def test_steps_are_tested_by_shape_or_on_demand(windows):
    square = Layer(lambda x: x.sum(2))  # (B, T)
    tests = [f.test for f in audit_module(square.eval(), windows, DATES).findings]
    assert "serve_invariance" in tests
    tests = [f.test for f in audit_module(square, windows, DATES, per_step=False).findings]
    assert "serve_invariance" not in tests
    report = audit_module(Reader(), windows, DATES, per_step=True)
    assert report.verdict is Verdict.UNKNOWN
    assert "per_step needs outputs (B, 5, ...)" in report.findings[0].evidence


def test_dates_may_be_tensors_or_numbers(windows):
    numbers = torch.from_numpy(np.repeat(np.arange(6), 4))
    for dates in (numbers, numbers.numpy()):
        report = audit_module(built(lambda: Reader(nn.BatchNorm1d(6))), windows, dates)
        assert report.findings[0].witness.cut in set("01234")


@pytest.mark.parametrize(
    ("dates", "message"),
    [(DATES[:3], "one date each"), (np.ones(len(DATES)), "whole numbers; they are float64")],
)
def test_unusable_dates_are_refused(windows, dates, message):
    with pytest.raises(ValueError, match=message):
        audit_module(Reader(), windows, dates)


@pytest.mark.parametrize("training", [True, False])
def test_with_targets_the_effect_of_coupling_on_forecasts_is_reported(training):
    windows, dates, symbols, target = noise_panel()
    report = audit_module(
        Contrarian().train(training), windows, dates, target=target, symbols=symbols, batch_size=8
    )
    assert report.verdict is (Verdict.LEAK if training else Verdict.CLEAN)
    found = {(f.test, f.stage): (f.verdict, f.counts) for f in report.findings if f.p_value}
    assert found == {
        ("composition_contrast", "network in training mode"): (Verdict.LEAK, training),
        ("composition_contrast", "network in eval mode"): (Verdict.CLEAN, not training),
        ("mode_gap", "network in training mode"): (Verdict.LEAK, training),
    }


def test_a_part_left_in_training_mode_counts_for_the_mode_gap():
    windows, dates, _, target = noise_panel()
    module = Contrarian().eval()
    module.norm.train()
    findings = audit_module(module, windows, dates, target=target, batch_size=8).findings
    (gap,) = [f for f in findings if f.test == "mode_gap"]
    assert (gap.verdict, gap.counts) == (Verdict.LEAK, True)


def test_targets_that_cannot_be_ranked_do_not_change_the_exact_findings(windows):
    report = audit_module(built(Reader), windows, DATES, target=torch.zeros(len(DATES)))
    steps = audit_module(built(Stepper), windows, DATES, target=torch.zeros(len(DATES)))
    for one in (report, steps):
        assert one.verdict is Verdict.CLEAN
        assert [f.verdict for f in one.findings if f.test == "mode_gap"] == [Verdict.UNKNOWN]


def test_unusable_targets_are_refused(windows):
    with pytest.raises(ValueError, match="target must be"):
        audit_module(Reader(), windows, DATES, target=torch.zeros(3))
    with pytest.raises(ValueError, match="horizon must be at least 1"):
        audit_module(Reader(), windows, DATES, horizon=0)


def test_one_date_keeps_the_verdict_of_the_exact_tests(windows):
    one = np.repeat(DATES[:1], 2)
    report = audit_module(built(Reader), windows[:2], one, target=torch.zeros(2))
    assert report.verdict is Verdict.CLEAN


def test_a_large_batch_is_thinned_and_witnesses_keep_their_names():
    """400 samples of 20 dates: 8 dates stay whole, the first and the last among them."""
    windows = torch.randn(400, 5, 3, generator=torch.Generator().manual_seed(0))
    dates = np.tile(np.arange(20), 20)
    reads_last = Layer(lambda x: x.sum((1, 2)) + x[-1, -1, -1] * (x.sum((1, 2)) * 0 + 1))
    found = {
        f.test: f for f in audit_module(reads_last.eval(), windows, dates).findings if f.counts
    }
    assert found["jacobian"].verdict is Verdict.LEAK
    assert "with respect to 160 windows" in found["jacobian"].tested
    assert "to sample 399 of 19, step 5" in found["jacobian"].witness.column
    assert found["completeness_split"].tested.startswith("160 samples of 8 dates")
    for test in ("jacobian", "nan_taint", "completeness_split"):
        place = int(found[test].witness.symbol.removeprefix("sample "))
        assert str(dates[place]) == found[test].witness.date
