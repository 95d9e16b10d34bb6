"""Training on chunks: the same forecasts and gradients as windows, for less work."""

from dataclasses import replace

import pytest
import torch

from foldproof.models.batches import BATCHES
from foldproof.models.chunks import batches_of, gathered, stretches, why_not
from foldproof.models.engine import fit, predict
from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS, resolve
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.models.windows import Windows, eligible

NETWORK = NetworkSpec(window=5, hidden=8)
TRAINING = TrainingSpec(samples="chunks", chunk=20, batch_size=200, epochs=2, learning_rate=1e-2)


@pytest.fixture
def windows(small) -> Windows:
    return Windows.of(small.values, small.target, NETWORK.window)


@pytest.fixture
def train(small) -> torch.Tensor:
    return eligible(small.values, small.member, range(150), NETWORK.window, small.target)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("variant", ["none", "layer_norm"])
def test_a_chunk_of_one_day_has_the_loss_and_gradient_of_its_window(
    windows: Windows, train: torch.Tensor, variant: str, engine: str
) -> None:
    (batch,) = batches_of(stretches(train, windows.dates, 1), len(train), generator())
    x, samples, counts = gathered(windows, batch)
    assert sorted(samples[counts].tolist()) == sorted(train.tolist())
    assert torch.equal(x, windows.gather(samples[:, 0]))
    network = build(VARIANTS[variant], 4, NETWORK, 0, engine)
    dates, found = windows.date(samples), []
    for forecasts in (
        network.along(x, dates)[:, 0],
        network(windows.gather(samples[:, 0]), dates[:, 0]),
    ):
        loss = (forecasts - windows.target[samples[:, 0]]).square().mean()
        found.append([loss, *torch.autograd.grad(loss, [*network.parameters()])])
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-7)


def test_a_day_along_a_chunk_is_forecast_from_all_its_earlier_days(
    windows: Windows, train: torch.Tensor
) -> None:
    run = max(stretches(train, windows.dates, 20), key=len)
    x, samples, counts = gathered(windows, run[None])
    assert counts.all()
    assert x.shape == (1, NETWORK.window - 1 + len(run), 4)
    network = build(VARIANTS["none"], 4, NETWORK, 0)
    forecasts = network.along(x, windows.date(samples))
    longer = replace(windows, length=x.shape[1])
    alone = network(longer.gather(run[-1:]), windows.date(run[-1:]))
    # The head multiplies all days at once here, one there: some CPUs add up in another order.
    torch.testing.assert_close(forecasts[:, -1], alone, rtol=1e-6, atol=1e-7)


def test_every_sample_is_in_one_run_of_consecutive_days(windows: Windows) -> None:
    days = windows.dates
    samples = torch.tensor([3, 4, 5, 6, 9, 10, days - 1, days, days + 1, 2 * days + 7])
    found = stretches(samples.flip(0), days, 3)
    assert [run.tolist() for run in found] == [
        [3, 4, 5], [6], [9, 10], [days - 1], [days, days + 1], [2 * days + 7],
    ]  # fmt: skip


def test_filled_up_days_change_nothing(windows: Windows, train: torch.Tensor) -> None:
    runs = stretches(train, windows.dates, 20)
    network = build(VARIANTS["none"], 4, NETWORK, 0)
    (batch,) = batches_of(runs, 10**6, generator())
    x, samples, counts = gathered(windows, batch)
    together = network.along(x, windows.date(samples))
    for row in (0, len(runs) - 1):
        own = gathered(windows, batch[row : row + 1, : int(counts[row].sum())])
        alone = network.along(own.x, windows.date(own.samples))
        torch.testing.assert_close(together[row][counts[row]], alone[0], rtol=1e-6, atol=1e-7)


def test_an_epoch_has_about_as_many_steps_as_one_of_windows(
    windows: Windows, train: torch.Tensor
) -> None:
    batches = batches_of(stretches(train, windows.dates, 20), 200, generator())
    dates, symbols = windows.date(train), windows.symbol(train)
    steps = len(BATCHES["shuffled"].cut(train, dates, symbols, 200, generator()))
    assert sum(int((batch >= 0).sum()) for batch in batches) == len(train)
    assert abs(len(batches) - steps) <= 1


def test_training_on_chunks_repeats_and_learns(windows: Windows, train: torch.Tensor) -> None:
    held = train[windows.date(train) >= 120]
    found = []
    for _ in range(2):
        network = build(VARIANTS["none"], 4, NETWORK, 0)
        fitted = fit(network, windows, train[windows.date(train) < 120], held, TRAINING, 0)
        found.append(predict(network, windows, held))
    assert torch.equal(*found)
    assert fitted.curves[1].train_loss < fitted.curves[0].train_loss


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("revin", "normalizes each window on its own"),
        ("batch_norm", "normalizes each window on its own"),
        ("batch_norm_date", "trained on date_block batches"),
        ("zscore @ symbol", "trained on symbol batches"),
        ("batch_norm_hidden", "those of a batch of windows"),
        ("cs_rank + layer_norm", ""),
        ("rolling_zscore", ""),
    ],
)
def test_what_chunks_cannot_train_is_refused_with_the_reason(name: str, reason: str) -> None:
    found = why_not(resolve(name))
    assert reason in found
    assert bool(reason) == bool(found)


def test_chunks_need_random_order_and_a_mean_loss() -> None:
    with pytest.raises(ValueError, match="needs loss mse and batches shuffled"):
        TrainingSpec(samples="chunks", batches="date")
