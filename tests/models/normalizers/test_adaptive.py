"""Learned window normalizers against the papers' formulas, recomputed with NumPy."""

import numpy as np
import pytest
import torch
from scipy.special import erf, expit
from scipy.stats import yeojohnson
from torch import nn

from foldproof.models.normalizers.adaptive import BIN, DAIN, EDAIN, DishTS, STNorm, yeo_johnson

EVERY = [BIN, DAIN, EDAIN, DishTS, STNorm]
B, T, F = 6, 10, 3


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(B, T, F, generator=generator, dtype=torch.float64) * 2 + 1


def drawn(make, spread=0.3):
    """A normalizer with parameters away from their start, and these as NumPy arrays."""
    normalizer = make(F)
    normalizer.set_length(T)
    normalizer.double()
    generator = torch.Generator().manual_seed(1)
    for parameter in normalizer.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data += spread * noise
    return normalizer, {n: p.detach().numpy() for n, p in normalizer.named_parameters()}


def close(found, expected):
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-9)


def test_dain_shifts_scales_and_gates(x):
    normalizer, p = drawn(DAIN)
    found, context = normalizer(x)
    expected = np.empty((B, T, F))
    for b, window in enumerate(x.numpy()):
        apart = window - p["shift"] @ window.mean(0)
        spread = p["scale"] @ np.sqrt((apart**2).mean(0) + 1e-5)
        resized = apart / np.where(spread > 1e-5, spread, 1)
        expected[b] = resized * expit(p["gate.weight"] @ resized.mean(0) + p["gate.bias"])
    close(found, expected)
    assert context == ()


def test_dain_divides_by_no_scale_that_is_not_positive(x):
    normalizer, _ = drawn(DAIN)
    nn.init.constant_(normalizer.scale, -1.0)
    nn.init.constant_(normalizer.gate.weight, 0.0)
    nn.init.constant_(normalizer.gate.bias, 100.0)
    close(normalizer(x)[0], (x - x.mean(1, keepdim=True) @ normalizer.shift.T).detach().numpy())


def test_st_norm_adds_the_cross_section_and_its_z_score_over_the_window(x):
    normalizer, p = drawn(STNorm)
    found, context = normalizer(x)
    for b, window in enumerate(x.numpy()):
        temporal = (window - window.mean(0)) / np.sqrt(window.var(0) + 1e-5)
        expected = p["spatial_weight"] * window + p["temporal_weight"] * temporal + p["bias"]
        close(found[b], expected)
    assert context == ()


def test_bin_adds_the_z_scores_over_time_and_over_features(x):
    normalizer, p = drawn(BIN)
    expected = np.empty((B, T, F))
    for b, window in enumerate(x.numpy()):
        time = (window - window.mean(0)) / np.sqrt(window.var(0) + 1e-5)
        step = ((window.T - window.mean(1)) / np.sqrt(window.var(1) + 1e-5)).T
        time = time * p["time_weight"] + p["time_bias"]
        step = step * p["feature_weight"] + p["feature_bias"]
        u, v = np.exp(p["log_mix"])
        expected[b] = u * time + v * step
    close(normalizer(x)[0], expected)


def test_edain_damps_shifts_scales_and_raises_to_a_power(x):
    normalizer, p = drawn(EDAIN)
    found = normalizer(5 * x)[0]
    for f in range(F):
        column = 5 * x[..., f].numpy().ravel()
        alpha, beta = expit(p["alpha_logit"][f]), 1 + np.exp(p["log_beta"][f])
        damped = alpha * beta * np.tanh(column / beta) + (1 - alpha) * column
        moved = (damped - p["shift"][f]) / np.exp(p["log_scale"][f])
        close(found[..., f].ravel(), yeojohnson(moved, p["power"][f]))


@pytest.mark.parametrize("power", [-1.0, 0.0, 1e-5, 0.5, 1.0, 2.0, 3.0])
def test_the_power_transform_is_that_of_scipy(power):
    x = np.linspace(-4, 4, 81)
    found = yeo_johnson(torch.from_numpy(x), torch.tensor(power, dtype=torch.float64))
    np.testing.assert_allclose(found, yeojohnson(x, power), rtol=1e-6, atol=1e-9)


def test_dish_ts_has_a_learned_level_of_the_window_and_one_of_the_forecast(x):
    normalizer, p = drawn(DishTS, 0.1)
    found, context = normalizer(x)
    forecast = torch.linspace(-1, 1, B, dtype=torch.float64)
    back = normalizer.inverse(forecast, context)
    for b, window in enumerate(x.numpy()):
        sums = (p["levels"] * window).sum(1)  # (2, F)
        level, later = sums * (1 + erf(sums / np.sqrt(2))) / 2  # GELU
        spread = np.sqrt(((window - level) ** 2).mean(0) + 1e-5)
        close(found[b], (window - level) / spread * p["weight"] + p["bias"])
        spread = np.sqrt(((window - later) ** 2).mean(0) + 1e-5)
        by_hand = (forecast[b] - p["bias"][0]) / (p["weight"][0] + 1e-10) * spread[0] + later[0]
        close(back[b], by_hand)


def test_dish_ts_undoes_a_feature_where_both_levels_are_one(x):
    normalizer, _ = drawn(DishTS, 0.1)
    normalizer.levels.data[1] = normalizer.levels.data[0]
    z, context = normalizer(x)
    for step in range(T):
        torch.testing.assert_close(normalizer.inverse(z[:, step, 0], context), x[:, step, 0])


@pytest.mark.parametrize("make", EVERY)
def test_gradient_passes_through_the_statistics(make, x):
    normalizer, _ = drawn(make, 0.1)

    def forecast(inputs):
        z, context = normalizer(inputs)
        return normalizer.inverse((z**2).sum(dim=(1, 2)) + z[:, -1, 0], context)

    assert torch.autograd.gradcheck(forecast, x[:2, :].requires_grad_())


@pytest.mark.parametrize("make", EVERY)
def test_a_constant_window_stays_finite_with_its_gradients(make):
    normalizer, _ = drawn(make, 0.0)
    x = torch.full((2, T, F), 0.7, dtype=torch.float64, requires_grad=True)
    z, context = normalizer(x)
    normalizer.inverse(z.square().sum(dim=(1, 2)), context).sum().backward()
    assert z.isfinite().all()
    assert x.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in normalizer.parameters())
