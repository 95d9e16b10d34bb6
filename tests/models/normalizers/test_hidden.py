from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from torch import nn

from foldproof.models.normalizers.hidden import (
    BatchRenorm,
    CausalBatchNorm,
    DateBatchNorm,
    DynamicTanh,
    GhostBatchNorm,
    HiddenBatchNorm,
    HiddenLayerNorm,
    HiddenRMSNorm,
    PreciseBatchNorm,
)

EVERY = [
    CausalBatchNorm, DateBatchNorm, DynamicTanh, GhostBatchNorm, HiddenBatchNorm, HiddenLayerNorm,
    HiddenRMSNorm, PreciseBatchNorm,
]  # fmt: skip


@pytest.fixture
def hidden():
    return torch.randn(12, 4, generator=torch.Generator().manual_seed(0)) + 0.5


@pytest.fixture
def dates():
    return torch.tensor([30, 10, 20, 10, 30, 30, 20, 10, 20, 30, 10, 10])


def test_layer_norm_equals_torch(hidden, dates):
    torch.testing.assert_close(HiddenLayerNorm(4)(hidden, dates), nn.LayerNorm(4)(hidden))


def test_rms_norm_is_the_formula_of_the_paper(hidden, dates):
    norm = HiddenRMSNorm(4)
    nn.init.constant_(norm.norm.weight, 2.0)
    expected = 2 * hidden / (hidden.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(norm(hidden, dates), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(norm(3 * hidden, dates), norm(hidden, dates), rtol=1e-4, atol=1e-4)


def test_dynamic_tanh_is_the_formula_of_the_paper(hidden, dates):
    norm = DynamicTanh(4)
    torch.testing.assert_close(norm(hidden, dates), torch.tanh(hidden / 2))
    nn.init.constant_(norm.sharpness, 3.0)
    nn.init.constant_(norm.weight, 2.0)
    nn.init.constant_(norm.bias, -1.0)
    torch.testing.assert_close(norm(hidden, dates), 2 * torch.tanh(3 * hidden) - 1)


@pytest.mark.parametrize(("ghost", "cuts"), [(4, [4, 8]), (5, [5, 10]), (11, []), (100, [])])
def test_ghost_batch_norm_is_batch_norm_of_each_piece(hidden, dates, ghost, cuts):
    """12 samples: of 11 and 1 the last would be alone, so it joins the others."""
    ours, oracle = GhostBatchNorm(4, ghost), nn.BatchNorm1d(4)
    expected = torch.cat([oracle(piece) for piece in hidden.tensor_split(cuts)])
    torch.testing.assert_close(ours(hidden, dates), expected)
    torch.testing.assert_close(ours.norm.running_mean, oracle.running_mean)
    torch.testing.assert_close(ours.norm.running_var, oracle.running_var)
    torch.testing.assert_close(ours.eval()(hidden, dates), oracle.eval()(hidden))


def test_batch_norm_equals_torch_in_both_modes(hidden, dates):
    ours, oracle = HiddenBatchNorm(4), nn.BatchNorm1d(4)
    torch.testing.assert_close(ours(hidden, dates), oracle(hidden))
    torch.testing.assert_close(ours.eval()(hidden, dates), oracle.eval()(hidden))


def test_batch_norm_of_one_sample_says_what_to_do(hidden, dates):
    with pytest.raises(ValueError, match="at least 2 samples"):
        HiddenBatchNorm(4)(hidden[:1], dates[:1])
    with pytest.raises(ValueError, match="at least 2 samples"):
        GhostBatchNorm(4)(hidden[:1], dates[:1])
    with pytest.raises(ValueError, match="at least 2 samples"):
        BatchRenorm(4)(hidden[:1], dates[:1])
    HiddenBatchNorm(4).eval()(hidden[:1], dates[:1])


@pytest.mark.parametrize("training", [True, False])
def test_date_norm_is_batch_norm_date_by_date(hidden, dates, training):
    together = DateBatchNorm(4).train(training)(hidden, dates)
    for date in (10, 20, 30):
        expected = nn.BatchNorm1d(4)(hidden[dates == date])
        torch.testing.assert_close(together[dates == date], expected)


def test_date_norm_of_one_sample_is_the_bias(hidden):
    norm = DateBatchNorm(4)
    nn.init.constant_(norm.bias, 0.3)
    torch.testing.assert_close(norm(hidden[:1], torch.tensor([5])), torch.full((1, 4), 0.3))


def history(hidden, dates, before, decay):
    """Exponentially weighted moments of whole dates strictly before ``before``, the long way."""
    past = sorted({int(d) for d in dates if d < before})
    weights = torch.tensor([decay ** (len(past) - 1 - k) for k in range(len(past))]).double()
    weights = weights / weights.sum()
    first = torch.stack([hidden[dates == d].double().mean(0) for d in past])
    second = torch.stack([hidden[dates == d].double().square().mean(0) for d in past])
    mean = weights @ first
    return mean, weights @ second - mean**2


@pytest.mark.parametrize("cuts", [[], [20], [20, 30]])
def test_causal_norm_equals_the_long_way_however_batches_are_cut(hidden, dates, cuts):
    norm = CausalBatchNorm(4, half_life=2.0)
    norm.start_epoch()
    edges = [0, *cuts, 99]
    for low, high in pairwise(edges):
        inside = (low <= dates) & (dates < high)
        out = norm(hidden[inside], dates[inside])
        for date in set(dates[inside].tolist()):
            mean, variance = torch.zeros(4), torch.ones(4)
            if date > 10:
                mean, variance = history(hidden, dates, date, norm.decay)
            expected = (hidden[dates == date] - mean) / (variance + 1e-5).sqrt()
            torch.testing.assert_close(
                out[dates[inside] == date], expected.float(), rtol=1e-5, atol=1e-5
            )
    mean, variance = history(hidden, dates, 99, norm.decay)
    torch.testing.assert_close(norm.running_mean, mean.float(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(norm.running_variance, variance.float(), rtol=1e-5, atol=1e-6)


def test_causal_norm_never_uses_the_same_or_later_dates(hidden, dates):
    changed = hidden.clone()
    changed[dates == 30] *= 100
    before = CausalBatchNorm(4)(hidden, dates)
    after = CausalBatchNorm(4)(changed, dates)
    assert torch.equal(before[dates < 30], after[dates < 30])
    changed = hidden.clone()
    changed[dates == 10] *= 100
    moved = CausalBatchNorm(4)(changed, dates)
    assert (moved != before)[dates == 20].all()  # earlier dates do count
    changed = hidden.clone()
    changed[2] *= 100  # one of the samples of date 20
    moved = CausalBatchNorm(4)(changed, dates)
    mates = (dates <= 20) & (torch.arange(12) != 2)
    assert torch.equal(moved[mates], before[mates])


def test_causal_norm_resets_between_passes_and_is_fixed_at_scoring(hidden, dates):
    norm = CausalBatchNorm(4)
    first = norm(hidden, dates)
    again = norm(hidden, dates)
    assert not torch.equal(first, again)  # without a start the last pass would be seen
    norm.start_epoch()
    assert torch.equal(norm(hidden, dates), first)
    state = deepcopy(norm.state_dict())
    norm.eval()(hidden + 50, dates + 100)
    assert all(torch.equal(state[name], value) for name, value in norm.state_dict().items())


@pytest.mark.parametrize("make", EVERY)
def test_gradient_passes_through_the_statistics(make, hidden, dates):
    norm = make(4).double()
    norm(hidden.double() * 0.5, dates - 100)  # some history for those that keep one
    start = hidden.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda h: deepcopy(norm)(h, dates), start)


@pytest.mark.parametrize("step", [0, 10, 15, 20, 1000])
def test_batch_renorm_is_the_formula_of_the_paper(hidden, dates, step):
    norm = BatchRenorm(4, plain=10, full=20).double()
    wide = hidden.double()
    norm.norm.running_mean.copy_(torch.tensor([0.0, 0.4, 1.0, 30.0]))
    norm.norm.running_var.copy_(torch.tensor([1.0, 0.9, 0.01, 25.0]))
    norm.norm.num_batches_tracked.fill_(step)
    mean, spread = wide.mean(0), (wide.var(0, correction=0) + 1e-5).sqrt()
    running = (norm.norm.running_var + 1e-5).sqrt()
    share = min(max((step - 10) / 10, 0), 1)
    r = (spread / running).clamp(1 / (1 + 2 * share), 1 + 2 * share)
    d = ((mean - norm.norm.running_mean) / running).clamp(-5 * share, 5 * share)
    expected = (wide - mean) / spread * r + d
    after = 0.9 * norm.norm.running_mean + 0.1 * mean
    torch.testing.assert_close(norm(wide, dates), expected)
    torch.testing.assert_close(norm.norm.running_mean, after)
    assert norm.norm.num_batches_tracked == step + 1
    oracle = nn.BatchNorm1d(4).double().eval()
    oracle.load_state_dict(norm.norm.state_dict())
    torch.testing.assert_close(norm.eval()(wide, dates), oracle(wide))


def test_batch_renorm_keeps_r_and_d_out_of_the_gradient(hidden, dates):
    norm = BatchRenorm(4, plain=0, full=1)
    norm.norm.num_batches_tracked.fill_(5)
    norm.norm.running_mean.fill_(0.3)
    start = hidden.clone().requires_grad_()
    (found,) = torch.autograd.grad(norm(start, dates).pow(3)[0].sum(), start)
    mean, spread = start.mean(0), (start.var(0, correction=0) + 1e-5).sqrt()
    r, d = (spread / (1 + 1e-5) ** 0.5).detach(), ((mean - 0.3) / (1 + 1e-5) ** 0.5).detach()
    (expected,) = torch.autograd.grad(((start - mean) / spread * r + d).pow(3)[0].sum(), start)
    torch.testing.assert_close(found, expected)


def test_precise_batch_norm_settles_on_the_moments_of_all_samples(hidden, dates):
    norm = PreciseBatchNorm(4)
    norm.train()(hidden + 3, dates)
    norm.settle(iter(hidden.split([5, 5, 2])))
    expected = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(norm.eval()(hidden, dates), expected)


@pytest.mark.parametrize("make", [*EVERY, BatchRenorm])
def test_scoring_changes_no_buffer(make, hidden, dates):
    norm = make(4).eval()
    state = deepcopy(norm.state_dict())
    norm(hidden, dates)
    assert all(torch.equal(state[name], value) for name, value in norm.state_dict().items())
