import numpy as np
import pytest
import torch
from scipy.stats import median_abs_deviation
from torch import nn

from foldproof.models.normalizers.window import (
    FeatureBatchNorm,
    InstanceNorm,
    PriceRelative,
    RevIN,
    RobustInstanceNorm,
)


@pytest.fixture
def x():
    return torch.randn(6, 10, 3, generator=torch.Generator().manual_seed(0)) * 2 + 5


def test_instance_norm_equals_torch(x):
    expected = nn.InstanceNorm1d(3)(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(InstanceNorm(3)(x)[0], expected, rtol=1e-5, atol=1e-5)


def test_instance_norm_by_hand():
    x = torch.tensor([1.0, 2.0, 3.0]).reshape(1, 3, 1)
    z, context = InstanceNorm(1, epsilon=0.0)(x)
    root = 1.5**0.5
    assert z.flatten().tolist() == pytest.approx([-root, 0, root], abs=1e-6)
    assert context == ()


@pytest.mark.parametrize("steps", [9, 10])
def test_robust_instance_norm_equals_scipy(x, steps):
    window = x[:, :steps].double().numpy()
    apart = window - np.median(window, axis=1, keepdims=True)
    spread = 1.4826 * median_abs_deviation(window, axis=1)[:, None]
    expected = apart / np.sqrt(spread**2 + 1e-5)
    found = RobustInstanceNorm(3)(torch.from_numpy(window))[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_an_outlier_moves_no_other_step_of_the_robust_instance_norm(x):
    spiked = x.clone()
    spiked[:, 4] = 100
    before = RobustInstanceNorm(3)(spiked)[0]
    spiked[:, 4] += 1000
    after = RobustInstanceNorm(3)(spiked)[0]
    others = torch.arange(10) != 4
    torch.testing.assert_close(after[:, others], before[:, others])


def test_price_relative_is_the_return_up_to_the_last_step():
    x = torch.tensor([[50.0, 2.0], [80.0, 3.0], [100.0, 0.0]]).unsqueeze(0)
    relative = PriceRelative(2)
    z, context = relative(x)
    torch.testing.assert_close(z[0, :, 0], torch.tensor([-5.0, -2.0, 0.0]))
    assert (z[0, :, 1] == 0).all()  # there is no return up to 0
    nn.init.constant_(relative.weight, 2.0)
    nn.init.constant_(relative.bias, 0.5)
    torch.testing.assert_close(relative(x)[0][0, :, 0], torch.tensor([-0.5, 0.1, 0.5]))
    torch.testing.assert_close(relative(7 * x)[0], relative(x)[0])  # a split changes nothing
    assert context == ()


def test_feature_batch_norm_equals_torch_in_both_modes(x):
    ours, oracle = FeatureBatchNorm(3), nn.BatchNorm1d(3)
    for _ in range(3):
        expected = oracle(x.transpose(1, 2)).transpose(1, 2)
        torch.testing.assert_close(ours(x)[0], expected, rtol=1e-5, atol=1e-5)
    assert oracle.running_mean is not None
    torch.testing.assert_close(ours.norm.running_mean, oracle.running_mean)
    expected = oracle.eval()(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(ours.eval()(x)[0], expected, rtol=1e-5, atol=1e-5)


def test_revin_without_its_affine_map_is_instance_norm(x):
    torch.testing.assert_close(RevIN(3)(x)[0], InstanceNorm(3)(x)[0])


@pytest.mark.parametrize("index", [0, 2])
def test_revin_inverse_undoes_the_chosen_feature(x, index):
    revin = RevIN(3, index).double()
    nn.init.uniform_(revin.weight, 0.5, 2.0, generator=torch.Generator().manual_seed(1))
    nn.init.normal_(revin.bias, generator=torch.Generator().manual_seed(2))
    z, context = revin(x.double())
    for step in range(10):
        back = revin.inverse(z[:, step, index], context)
        torch.testing.assert_close(back, x[:, step, index].double(), rtol=1e-8, atol=1e-8)


def test_revin_forecast_moves_with_the_level_and_scale_of_its_feature(x):
    revin = RevIN(3, epsilon=0.0)
    forecast = torch.linspace(-1, 1, 6)
    here = revin.inverse(forecast, revin(x)[1])
    there = revin.inverse(forecast, revin(3 * x + 7)[1])
    torch.testing.assert_close(there, 3 * here + 7)


@pytest.mark.parametrize(
    "make", [InstanceNorm, RobustInstanceNorm, PriceRelative, RevIN, FeatureBatchNorm]
)
def test_gradient_passes_through_the_statistics(make):
    normalizer = make(2).double()
    x = torch.randn(3, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def forecast(inputs):
        z, context = normalizer(inputs)
        return normalizer.inverse((z**2).sum(dim=(1, 2)) + z[:, -1, 0], context)

    assert torch.autograd.gradcheck(forecast, x.requires_grad_())
