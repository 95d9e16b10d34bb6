"""Normalizers of the cell against torch's own LSTM and against the papers' formulas in NumPy."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import nn
from torch.nn.utils import parametrizations

from foldproof.models.normalizers.cell import (
    InputToHiddenBatchNorm,
    LayerNormCell,
    RecurrentBatchNorm,
    StepwiseCell,
    WeightNorm,
)

B, T, F, H = 6, 4, 3, 5
EVERY = [InputToHiddenBatchNorm, LayerNormCell, RecurrentBatchNorm, WeightNorm]


@pytest.fixture(params=[1, 2])
def lstm(request):
    torch.manual_seed(0)
    return nn.LSTM(F, H, request.param, batch_first=True).double()


@pytest.fixture
def x():
    return torch.randn(B, T, F, generator=torch.Generator().manual_seed(1)).double() + 0.5


def drawn(make, lstm):
    """A normalizer of the cell with parameters away from their start."""
    cell = make(lstm, T).double()
    generator = torch.Generator().manual_seed(2)
    for parameter in cell.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator).double()
    return cell


def test_without_a_normalization_it_is_the_lstm(lstm, x):
    torch.testing.assert_close(StepwiseCell()(lstm, x), lstm(x)[1][0][-1], rtol=0, atol=1e-12)
    for cell in (StepwiseCell(), WeightNorm(lstm, T)):
        torch.testing.assert_close(cell.states(lstm, x), lstm(x)[0], rtol=0, atol=1e-12)


def weights_of(lstm, layer):
    return [weight.detach().numpy() for weight in lstm.all_weights[layer]]


def recurrence(lstm, x, given, recurrent, state):
    """The last hidden state by the papers' equations; norms are functions of layer, step, sums."""
    sequence = [x[:, t].numpy() for t in range(T)]
    for layer in range(lstm.num_layers):
        w_x, w_h, b_x, b_h = weights_of(lstm, layer)
        h, c = np.zeros((B, H)), np.zeros((B, H))
        for t, row in enumerate(sequence):
            gates = given(layer, t, row @ w_x.T) + recurrent(layer, t, h @ w_h.T) + b_x + b_h
            i, f, g, o = (gates[:, k * H : (k + 1) * H] for k in range(4))
            c = expit(f) * c + expit(i) * np.tanh(g)
            h = expit(o) * np.tanh(state(layer, t, c))
            sequence[t] = h
    return sequence[-1]


def test_layer_norm_cell_is_the_formula_of_the_paper(lstm, x):
    cell = drawn(LayerNormCell, lstm)

    def normed(norms):
        def norm(layer, step, sums):
            gain, bias = (p.detach().numpy() for p in norms[layer].parameters())
            apart = sums - sums.mean(1, keepdims=True)
            return apart / np.sqrt(sums.var(1, keepdims=True) + 1e-5) * gain + bias

        return norm

    norms = (normed(one) for one in (cell.given_norm, cell.recurrent_norm, cell.state_norm))
    expected = recurrence(lstm, x, *norms)
    np.testing.assert_allclose(cell(lstm, x).detach(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("training", [True, False])
def test_recurrent_batch_norm_has_statistics_of_each_step(lstm, x, training):
    cell = drawn(RecurrentBatchNorm, lstm)
    cell(lstm, 2 * x)  # running statistics away from their start
    oracles = {}

    def normed(norms):
        def norm(layer, step, sums):
            own = norms[layer]
            one = nn.BatchNorm1d(sums.shape[1]).double().train(training)
            one.weight, one.running_mean = own.weight, before[id(own)][0][step].clone()
            one.running_var = before[id(own)][1][step].clone()
            if own.bias is not None:
                one.bias = own.bias
            result = one(torch.from_numpy(sums)).detach().numpy()
            oracles[id(own), step] = one
            return result

        return norm

    parts = (cell.given_norm, cell.recurrent_norm, cell.state_norm)
    before = {
        id(one): (one.running_mean.clone(), one.running_variance.clone())
        for part in parts
        for one in part
    }
    expected = recurrence(lstm, x, *map(normed, parts))
    found = cell.train(training)(lstm, x)
    np.testing.assert_allclose(found.detach(), expected, rtol=0, atol=1e-9)
    for part in parts:
        for one in part:
            for step in range(T):
                oracle = oracles[id(one), step]
                torch.testing.assert_close(one.running_mean[step], oracle.running_mean)
                torch.testing.assert_close(one.running_variance[step], oracle.running_var)


@pytest.mark.parametrize("training", [True, False])
def test_input_to_hidden_batch_norm_is_an_lstm_of_normalized_sums(x, training):
    """Oracle: torch's LSTM with the identity as input weights."""
    torch.manual_seed(0)
    lstm, oracle = nn.LSTM(F, H, batch_first=True).double(), nn.LSTM(4 * H, H, batch_first=True)
    cell = drawn(InputToHiddenBatchNorm, lstm).train(training)
    norm = nn.BatchNorm1d(4 * H).double().train(training)
    norm.load_state_dict(cell.norms[0].state_dict())
    w_x, *rest = lstm.all_weights[0]
    oracle.double().load_state_dict(
        dict(zip(oracle.state_dict(), [torch.eye(4 * H), *rest], strict=True))
    )
    sums = norm((x @ w_x.T).transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(cell(lstm, x), oracle(sums)[1][0][-1], rtol=0, atol=1e-12)


def test_weight_norm_equals_torch(lstm, x):
    torch.manual_seed(0)
    oracle = nn.LSTM(F, H, lstm.num_layers, batch_first=True).double()
    names = [name for name, weight in oracle.named_parameters() if weight.dim() > 1]
    for name in names:
        parametrizations.weight_norm(oracle, name)
    cell = WeightNorm(lstm, T)
    torch.testing.assert_close(cell(lstm, x), lstm(x)[1][0][-1])  # it starts as the plain LSTM
    for name, size in zip(names, cell.sizes, strict=True):
        torch.testing.assert_close(size, oracle.get_parameter(f"parametrizations.{name}.original0"))
        oracle.get_parameter(f"parametrizations.{name}.original0").data *= 1.5
        size.data *= 1.5
    found, expected = cell(lstm, x), oracle(x)[1][0][-1]
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    for name, size in zip(names, cell.sizes, strict=True):
        theirs = (oracle.get_parameter(f"parametrizations.{name}.original{k}").grad for k in (0, 1))
        for mine, other in zip((size.grad, lstm.get_parameter(name).grad), theirs, strict=True):
            torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("make", EVERY)
@pytest.mark.parametrize("training", [True, False])
def test_gradient_passes_through_the_statistics(make, training, x):
    torch.manual_seed(0)
    lstm = nn.LSTM(F, H, batch_first=True).double()
    cell = drawn(make, lstm).train(training)
    assert torch.autograd.gradcheck(lambda one: cell(lstm, one), x[:3, :2].requires_grad_())


@pytest.mark.parametrize("make", [InputToHiddenBatchNorm, RecurrentBatchNorm])
def test_a_training_batch_of_one_sample_is_refused(make, lstm, x):
    cell = make(lstm, T).double()
    with pytest.raises(ValueError, match="at least 2 samples"):
        cell(lstm, x[:1])
    assert cell.eval()(lstm, x[:1]).isfinite().all()


def test_dropout_between_layers_is_that_of_the_lstm(x):
    torch.manual_seed(0)
    lstm = nn.LSTM(F, H, 2, batch_first=True, dropout=0.5).double()
    cell = StepwiseCell()
    assert not torch.equal(cell(lstm, x), cell(lstm, x))
    lstm.eval()
    torch.testing.assert_close(cell.eval()(lstm, x), lstm(x)[1][0][-1], rtol=0, atol=1e-12)
