"""SAN against the authors' formulas, recomputed with NumPy."""

import numpy as np
import pytest
import torch

from foldproof.models.normalizers.slices import SAN
from foldproof.models.windows import Windows

B, T, F = 6, 12, 3


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(B, T, F, generator=generator, dtype=torch.float64) * 2 + 1


@pytest.fixture
def san():
    """For windows of 12 rows: slices of 2, 5 and 5."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        normalizer = SAN(F, index=1)
        normalizer.set_length(T)
        normalizer.weight.data += torch.randn(2, F) * 0.3
    return normalizer.double()


def numbers(module):
    return {name: one.detach().numpy() for name, one in module.named_parameters()}


def by_hand(p, part, statistics, rows):
    """One of the authors' networks, on one feature of one window."""
    read = [
        p[f"{part}.{name}.weight"] @ each + p[f"{part}.{name}.bias"]
        for name, each in (("slices", statistics), ("rows", rows))
    ]
    hidden = np.tanh(np.concatenate(read))
    return float((p[f"{part}.output.weight"] @ hidden + p[f"{part}.output.bias"])[0])


def slice_moments(column):
    parts = column[:2], column[2:7], column[7:]
    return (
        np.array([part.mean() for part in parts]),
        np.array([np.sqrt(part.var() + 1e-5) for part in parts]),
        parts,
    )


def test_each_slice_is_normalized_and_the_next_one_is_forecast(x, san):
    found, (level, spread) = san(x)
    p = numbers(san)
    for b, window in enumerate(x.numpy()):
        for f, column in enumerate(window.T):
            means, sds, parts = slice_moments(column)
            expected = np.concatenate(
                [(part - m) / s for part, m, s in zip(parts, means, sds, strict=True)]
            )
            np.testing.assert_allclose(found[b, :, f].detach(), expected, atol=1e-9)
            if f == 1:
                overall = column.mean()
                change = by_hand(p, "mean", means - overall, column - overall)
                mean = p["weight"][0, f] * change + p["weight"][1, f] * overall
                sd = np.log1p(np.exp(by_hand(p, "spread", sds, column)))
                assert float(level[b].detach()) == pytest.approx(mean, abs=1e-9)
                assert float(spread[b].detach()) == pytest.approx(sd, abs=1e-9)


def test_the_forecast_is_denormalized_by_the_next_slice(x, san):
    _, (level, spread) = san(x)
    forecast = torch.linspace(-1, 1, B, dtype=torch.float64)
    torch.testing.assert_close(
        san.inverse(forecast, (level, spread)), forecast * (spread + 1e-5) + level
    )


def test_the_loss_compares_the_forecast_statistics_with_those_of_the_later_rows(x, san):
    later = torch.randn(B, 5, F, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    errors = []
    for index in range(F):
        san.index = index
        _, (level, spread) = san(x)
        own = later[:, :, index].numpy()
        errors.append((level.detach().numpy() - own.mean(1)) ** 2)
        errors.append((spread.detach().numpy() - np.sqrt(own.var(1) + 1e-5)) ** 2)
    assert float(san.ahead_loss(x, later).detach()) == pytest.approx(np.mean(errors), rel=1e-9)


def test_a_cropped_window_has_fewer_slices(x, san):
    found, context = san(x[:, 3:])
    assert found.shape == (B, 9, F)
    torch.testing.assert_close(found[:, 4:], san(x)[0][:, 7:])
    assert all(each.isfinite().all() for each in context)


def test_samples_are_followed_by_complete_rows_up_to_the_last_one():
    rows = torch.arange(2 * 10, dtype=torch.float32).view(10, 2, 1)
    rows[6, 1] = torch.nan
    windows = Windows.of(rows, torch.zeros(10, 2), 2)
    everyone = torch.arange(20)
    assert windows.last == 9
    kept = windows.followed(everyone, 3, torch.arange(9))
    assert kept.tolist() == [0, 1, 2, 3, 4, 5, 10, 11, 12]
    assert windows.features(kept.unsqueeze(1) + torch.arange(1, 4)).isfinite().all()


def test_samples_are_followed_by_rows_of_allowed_dates_alone():
    windows = Windows.of(torch.zeros(12, 1, 1), torch.zeros(12, 1), 2)
    apart = torch.tensor([0, 1, 2, 3, 4, 8, 9, 10, 11])  # rows 5 to 7 are tested
    assert windows.followed(apart, 2, apart).tolist() == [0, 1, 2, 8, 9]
