"""Planted coupling and peeking modules beside honest ones, in both modes."""

import numpy as np
import pytest
import torch
from torch import nn

from tasks.diagnose import Verdict, audit_module
from tasks.diagnose.coupling import noisy

DATES = np.repeat(np.arange("2024-01-01", "2024-01-07", dtype="datetime64[D]"), 4)


@pytest.fixture(scope="module")
def windows():
    return torch.randn(len(DATES), 5, 3, generator=torch.Generator().manual_seed(1))


class Reader(nn.Module):
    """LSTM whose last step, after ``norm``, is the forecast."""

    def __init__(self, norm=None, first=None):
        super().__init__()
        self.first = first or nn.Identity()
        self.lstm = nn.LSTM(3, 6, batch_first=True)
        self.norm = norm or nn.Identity()
        self.head = nn.Linear(6, 1)

    def forward(self, x):
        return self.head(self.norm(self.lstm(self.first(x))[0][:, -1])).squeeze(-1)


class Stepper(nn.Module):
    """One output a step."""

    def __init__(self, first=None, both=False):
        super().__init__()
        self.first = first or nn.Identity()
        self.lstm = nn.LSTM(3, 6, batch_first=True, bidirectional=both)

    def forward(self, x):
        return self.lstm(self.first(x))[0]


class Layer(nn.Module):
    """A function of (B, ...) as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Dated(nn.Module):
    """Centres hidden states within the date, or on all dates before."""

    def __init__(self, relation):
        super().__init__()
        self.reader, self.relation = Reader(), relation

    def forward(self, x, dates):
        out = self.reader(x)
        related = self.relation(dates.unsqueeze(1), dates.unsqueeze(0)).to(out.dtype)
        return out - (related @ out) / related.sum(1).clamp_min(1)


class Counting(nn.Module):
    """Moves a buffer at every pass; ``used`` says whether it shows in the output."""

    def __init__(self, used):
        super().__init__()
        self.reader, self.used = Reader(), used
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen = self.seen + 1
        return self.reader(x) + self.seen * self.used


class Remembering(nn.Module):
    """Keeps the last mean in an attribute that is no buffer."""

    def __init__(self):
        super().__init__()
        self.reader, self.last = Reader(), 0.0

    def forward(self, x):
        out = self.reader(x) + self.last
        self.last = float(x.mean())
        return out


def instance_norm():
    return Layer(lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True))


def causal_norm():
    steps = torch.arange(1, 6).view(1, -1, 1)
    return Layer(lambda x: x - x.cumsum(1) / steps)


def rank(x):
    return x.argsort(0).argsort(0).to(x.dtype) / len(x)


LEAKS = {
    "batch norm in training mode": (lambda: Reader(nn.BatchNorm1d(6)), "batch_composition"),
    "batch norm without running statistics": (
        lambda: Reader(nn.BatchNorm1d(6, track_running_stats=False)).eval(),
        "batch_composition",
    ),
    "detached batch mean": (
        lambda: Reader(Layer(lambda h: h - h.mean(0).detach())).eval(),
        "batch_composition",
    ),
    "batch rank": (lambda: Reader(first=Layer(rank)).eval(), "batch_composition"),
    "batch maximum": (
        lambda: Reader(Layer(lambda h: h / h.abs().amax())).eval(),
        "batch_composition",
    ),
    "later dates": (lambda: Dated(lambda one, other: other >= one).eval(), "batch_composition"),
    "buffers move": (lambda: Counting(used=0.0).eval(), "state_purity"),
    "buffers move and show": (lambda: Counting(used=1.0).eval(), "state_purity"),
    "hidden state": (lambda: Remembering().eval(), "state_purity"),
    "instance norm per step": (lambda: Stepper(instance_norm()).eval(), "serve_invariance"),
    "bidirectional per step": (lambda: Stepper(both=True).eval(), "serve_invariance"),
    "centred convolution": (
        lambda: nn.Sequential(
            Layer(lambda x: x.transpose(1, 2)),
            nn.Conv1d(3, 2, 3, padding=1),
            Layer(lambda x: x.transpose(1, 2)),
        ).eval(),
        "serve_invariance",
    ),
}
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


def built(make):
    torch.manual_seed(0)
    return make()


@pytest.mark.parametrize(("make", "test"), list(LEAKS.values()), ids=list(LEAKS))
def test_a_planted_leak_is_caught_by_the_right_test(make, test, windows):
    report = audit_module(built(make), windows, DATES)
    assert report.verdict is Verdict.LEAK
    caught = {f.test for f in report.findings if f.verdict is Verdict.LEAK and f.counts}
    assert test in caught
    assert caught <= {test, "state_purity"}  # statistics of batches may leave traces too


@pytest.mark.parametrize("make", list(CLEAN.values()), ids=list(CLEAN))
def test_an_honest_module_passes(make, windows):
    report = audit_module(built(make), windows, DATES)
    assert report.verdict is Verdict.CLEAN
    assert len([f for f in report.findings if f.counts]) >= 2


@pytest.mark.parametrize("name", ["dropout in training mode", "functional dropout"])
def test_dropout_is_not_taken_for_coupling(name, windows):
    for finding in audit_module(built(CLEAN[name]), windows, DATES).findings:
        if finding.test == "batch_composition":
            assert finding.detail == "depends on no companion in the batch"


@pytest.mark.parametrize("training", [True, False])
def test_the_other_mode_informs_only(training, windows):
    module = built(lambda: Reader(nn.BatchNorm1d(6))).train(training)
    findings = audit_module(module, windows, DATES).findings
    composition = [f for f in findings if f.test == "batch_composition"]
    assert {(f.stage, f.verdict, f.counts) for f in composition} == {
        ("network in training mode", Verdict.LEAK, training),
        ("network in eval mode", Verdict.CLEAN, not training),
    }


def test_the_size_of_coupling_by_hand():
    """f = x - mean of the batch: samples changed by c in sum move the others by -c / B."""
    windows = torch.arange(6.0, dtype=torch.float64).view(6, 1, 1)
    module = Layer(lambda x: (x - x.mean(0)).flatten()).eval()
    finding = audit_module(module, windows, np.arange(6), per_step=False).findings[0]
    change = (noisy(windows, 0) - windows).flatten().numpy()
    moves = {cut: -change[cut + 1 :].sum() / 6 for cut in (0, 1, 3, 4)}  # four cuts of five
    cut = max(moves, key=lambda cut: abs(moves[cut]))
    assert finding.witness.cut == str(cut)
    moved = finding.witness.after - finding.witness.before
    assert moved == pytest.approx(moves[cut], rel=1e-12)
    assert finding.value == pytest.approx(abs(moves[cut]) / np.arange(6.0).std(), rel=1e-12)


def test_the_module_and_the_random_state_stay_as_they_are(windows):
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


def test_a_part_left_in_training_mode_is_named(windows):
    module = Reader(nn.BatchNorm1d(6)).eval()
    module.norm.train()
    report = audit_module(module, windows, DATES)
    assert report.verdict is Verdict.LEAK
    (state,) = [f for f in report.findings if f.test == "state_purity" and f.counts]
    assert "norm is in training mode" in state.detail
    assert "norm.running_mean changed" in state.detail


def test_coupling_to_the_same_date_is_said_to_be_no_leak(windows):
    module = built(CLEAN["same date"])
    finding = audit_module(module, windows, DATES).findings[0]
    assert finding.verdict is Verdict.CLEAN
    assert "the same date" in finding.detail
    assert "no leak in time" in finding.detail


def test_with_one_date_coupling_cannot_be_told_from_a_leak(windows):
    one = np.repeat(DATES[:1], len(windows))
    coupled = audit_module(built(lambda: Reader(nn.BatchNorm1d(6))), windows, one).findings[0]
    assert coupled.verdict is Verdict.UNKNOWN
    assert "all samples are of one date" in coupled.evidence
    assert audit_module(built(Reader), windows, one).verdict is Verdict.CLEAN


def test_works_in_single_precision_where_the_module_insists(windows):
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


def test_steps_are_tested_where_the_shape_says_so_or_on_demand(windows):
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
