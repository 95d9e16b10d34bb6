import pytest
import torch
from torch import nn

from foldproof.tasks.diagnose.network.calls import (
    call,
    changed_state,
    dropout_off,
    fresh_call,
    precise,
    state_of,
    takes_dates,
    training_parts,
)

DATES = torch.arange(4)


class Tuple(nn.Module):
    def forward(self, windows, dates):
        return windows.sum((1, 2)) + dates, "state"


class Optional(nn.Module):
    def forward(self, windows, dates=None, state=None):
        return windows.sum((1, 2)) + (0 if dates is None else dates)


class Single(nn.Module):
    """Works in single precision whatever it is given."""

    def forward(self, windows):
        return windows.float().sum((1, 2))


@pytest.fixture
def windows():
    return torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(0))


def test_dates_are_passed_to_modules_that_take_them(windows):
    assert not takes_dates(nn.LSTM(2, 2))
    assert not takes_dates(nn.Sequential(nn.Identity()))
    for module in (Tuple(), Optional()):
        assert takes_dates(module)
        assert torch.equal(call(module, windows, DATES, 0), windows.sum((1, 2)) + DATES)


def test_dropout_is_off_in_training_mode(windows):
    layers = nn.TransformerEncoderLayer(2, 1, 4, dropout=0.5, batch_first=True)
    for module in (nn.LSTM(2, 4, 2, dropout=0.5, batch_first=True), nn.Dropout(0.5), layers):
        module.train()
        one, other = (call(module, windows, DATES, seed) for seed in (0, 1))
        assert not torch.equal(one, other)
        dropout_off(module)
        assert module.training
        one, other = (call(module, windows, DATES, seed) for seed in (0, 1))
        assert torch.equal(one, other)


def test_modules_are_run_in_float64_where_possible(windows):
    module = nn.Sequential(nn.Flatten(), nn.Linear(6, 1))
    double, values, rounding = precise(module, windows, DATES, 0)
    assert (values.dtype, rounding) == (torch.float64, 1e-9)
    assert module[1].weight.dtype == torch.float32
    assert torch.equal(double[1].weight, module[1].weight.double())
    assert precise(Single(), windows, DATES, 0)[1:] == (windows, 1e-5)


def test_changed_state_names_every_change_and_a_fresh_call_makes_none(windows):
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(6)).train()
    before = state_of(module)
    assert set(before) == set(module.state_dict())
    fresh_call(module, windows, DATES, 0)
    assert changed_state(before, module) == []
    call(module, windows, DATES, 0)
    assert changed_state(before, module) == [
        "1.running_mean", "1.running_var", "1.num_batches_tracked"
    ]  # fmt: skip


def test_parts_in_training_mode():
    module = nn.Sequential(nn.Flatten(), nn.Dropout()).eval()
    assert training_parts(module) == []
    module[1].train()
    assert training_parts(module) == ["1"]
    assert training_parts(module.train()) == ["(all)", "0", "1"]
