from dataclasses import replace

import pytest
import torch
from torch import nn

from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec

SPEC = NetworkSpec(window=6, hidden=5, layers=2, dropout=0.2)


@pytest.mark.parametrize("name", VARIANTS)
def test_same_seed_same_start_for_every_variant(name):
    plain, network = build(VARIANTS["none"], 3, SPEC, 11), build(VARIANTS[name], 3, SPEC, 11)
    for part in ("lstm", "head"):
        expected = getattr(plain, part).state_dict()
        for key, value in getattr(network, part).state_dict().items():
            assert torch.equal(value, expected[key])


def test_another_seed_another_start_and_the_global_state_is_untouched():
    before = torch.random.get_rng_state()
    one, other = build(VARIANTS["none"], 3, SPEC, 1), build(VARIANTS["none"], 3, SPEC, 2)
    assert not torch.equal(one.head.weight, other.head.weight)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_plain_network_is_lstm_last_step_linear():
    network = build(VARIANTS["none"], 3, SPEC, 0).eval()
    lstm, head = nn.LSTM(3, 5, 2, batch_first=True), nn.Linear(5, 1)
    lstm.load_state_dict(network.lstm.state_dict())
    head.load_state_dict(network.head.state_dict())
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))
    expected = head(lstm(x)[0][:, -1])[:, 0]
    torch.testing.assert_close(network(x, torch.zeros(4)), expected)


def test_window_and_hidden_normalizers_are_where_they_should_be():
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0)) * 2 + 1
    dates = torch.zeros(4, dtype=torch.int64)
    plain = build(VARIANTS["none"], 3, SPEC, 0).eval()
    revin = build(VARIANTS["revin"], 3, SPEC, 0).eval()
    spread, mean = torch.std_mean(x, dim=1, correction=0, keepdim=True)
    spread = (spread**2 + 1e-5).sqrt()
    expected = plain((x - mean) / spread, dates) * spread[:, 0, 0] + mean[:, 0, 0]
    torch.testing.assert_close(revin(x, dates), expected)
    layer = build(VARIANTS["layer_norm"], 3, SPEC, 0).eval()
    last = nn.functional.layer_norm(plain.lstm(x)[0][:, -1], (5,))
    torch.testing.assert_close(layer(x, dates), plain.head(last)[:, 0])


@pytest.mark.parametrize("name", ["revin", "dish_ts"])
def test_a_normalized_window_is_undone_on_the_forecast_unless_the_network_leaves_it(name):
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0)) * 2 + 1
    dates = torch.zeros(4, dtype=torch.int64)
    undone = build(VARIANTS[name], 3, SPEC, 0).eval()
    left = build(VARIANTS[name], 3, replace(SPEC, denormalize=False), 0).eval()
    plain = left(x, dates)
    torch.testing.assert_close(undone(x, dates), undone.window.inverse(plain, undone.window(x)[1]))
    assert (left(x + 5, dates) - plain).abs().max() < 0.01  # the level of the window is gone
    assert (undone(x + 5, dates) - undone(x, dates)).min() > 1
