from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from foldproof.models import engine
from foldproof.models.batches import BATCHES
from foldproof.models.engine import fit, predict
from foldproof.models.losses import LOSSES
from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.models.windows import Windows, eligible

NETWORK = NetworkSpec(window=5, hidden=8, dropout=0.3)
TRAINING = TrainingSpec(epochs=4, batch_size=128, patience=10)


@pytest.fixture(scope="module")
def blocks(small):
    """(windows, train samples, validation samples, test samples)."""
    z = small.values.nan_to_num(0.0)
    z = (z - z.mean((0, 1))) / z.std((0, 1))
    windows = Windows.of(z, small.target, 5)
    rows = (range(280), range(280, 330), range(330, 400))
    return windows, *(eligible(z, small.member, r, 5, small.target) for r in rows)


def trained(blocks, spec=TRAINING, seed=0, variant="none", network=NETWORK, batches=None):
    windows, train, validation, _ = blocks
    module = build(VARIANTS[variant], 4, network, seed)
    return module, fit(module, windows, train, validation, spec, seed, batches)


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_precise_batch_norm_has_the_moments_of_the_training_samples(blocks):
    """Those of the kept weights, not an average over the last batches."""
    windows, train, _, _ = blocks
    module, _ = trained(blocks, variant="precise_batch_norm")
    states = module.lstm(windows.gather(train))[1][0][-1].double()
    norm = module.hidden.norm
    torch.testing.assert_close(norm.running_mean.double(), states.mean(0), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        norm.running_var.double(), states.var(0, correction=0), rtol=1e-5, atol=1e-7
    )
    assert module.training


@pytest.mark.parametrize("loss", ["mse", "rank_correlation"])
def test_equals_a_loop_written_by_hand(blocks, loss):
    """Materialized windows, a bare LSTM and head, no class of ours but the loss and batch order."""
    windows, train, validation, _ = blocks
    spec = replace(TRAINING, loss=loss, batches="date_block")
    _, result = trained(blocks, spec, network=replace(NETWORK, dropout=0.0))

    start = build(VARIANTS["none"], 4, NETWORK, 0)
    lstm, head = start.lstm, start.head
    parameters = [*lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-3)
    generator = torch.Generator().manual_seed(0)

    def naive(samples):
        rows = windows.rows.reshape(9, 400, 4)
        cut = [rows[s // 400, s % 400 - 4 : s % 400 + 1] for s in samples.tolist()]
        forecast = head(lstm(torch.stack(cut))[0][:, -1])[:, 0]
        return LOSSES[loss](forecast, windows.target[samples], samples % 400)

    order = BATCHES["date_block"].cut
    for epoch in result.curves:
        total = 0.0
        for batch in order(train, train % 400, train // 400, 128, generator):
            value = naive(batch)
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            total += value.item() * len(batch)
        assert epoch.train_loss == pytest.approx(total / len(train), abs=1e-6)
        with torch.no_grad():
            assert epoch.validation_loss == pytest.approx(naive(validation).item(), abs=1e-6)
    assert result.curves[-1].validation_loss < result.curves[0].validation_loss


@pytest.mark.parametrize("variant", ["none", "batch_norm_hidden", "causal_batch_norm"])
def test_same_seed_same_bits_another_seed_another_network(blocks, variant):
    batches = VARIANTS[variant].batches
    torch.manual_seed(1)
    _, one = trained(blocks, variant=variant, batches=batches)
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    _, again = trained(blocks, variant=variant, batches=batches)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert equal(one.weights, again.weights)
    assert one.curves == again.curves
    _, other = trained(blocks, seed=5, variant=variant, batches=batches)
    assert not equal(one.weights, other.weights)


def test_the_seed_decides_dropout_and_batch_order(blocks):
    windows, train, validation, _ = blocks
    results = [
        fit(build(VARIANTS["none"], 4, NETWORK, 0), windows, train, validation, TRAINING, seed)
        for seed in (0, 1)
    ]
    assert results[0].curves[0].train_loss != results[1].curves[0].train_loss


@pytest.mark.parametrize("variant", ["none", "batch_norm_hidden", "causal_batch_norm"])
def test_early_stopping_keeps_the_best_weights_and_buffers(blocks, variant):
    spec = replace(TRAINING, epochs=40, patience=2, learning_rate=0.05, weight_decay=0.0)
    module, result = trained(blocks, spec, variant=variant, batches=VARIANTS[variant].batches)
    losses = [epoch.validation_loss for epoch in result.curves]
    assert result.best_epoch == losses.index(min(losses)) + 1
    assert len(losses) == result.best_epoch + 2 < 40
    assert equal(result.weights, dict(module.state_dict()))
    windows, _, validation, _ = blocks
    forecast = predict(module, windows, validation)
    reached = (forecast - windows.target[validation]).square().mean()
    assert reached.item() == pytest.approx(min(losses), rel=1e-6)
    short = replace(spec, epochs=result.best_epoch)
    _, stopped = trained(blocks, short, variant=variant, batches=VARIANTS[variant].batches)
    assert equal(result.weights, stopped.weights)


def test_gradients_are_clipped(blocks):
    _, free = trained(blocks, replace(TRAINING, clip_norm=1e6))
    _, tight = trained(blocks, replace(TRAINING, clip_norm=1e-3))
    assert not equal(free.weights, tight.weights)


def test_causal_buffers_restart_with_each_epoch(blocks):
    """Later dates of the first pass change; what the second pass met of its first dates does not.

    With a learning rate next to nothing the weights stand still, so the training loss of an early
    stretch differs only through statistics.
    """
    windows, train, validation, _ = blocks
    early = train[windows.date(train) < 60]
    spec = replace(TRAINING, learning_rate=1e-12, weight_decay=0.0, epochs=2)
    module = build(VARIANTS["causal_batch_norm"], 4, replace(NETWORK, dropout=0.0), 0)
    result = fit(module, windows, early, validation, spec, 0, "chronological")
    assert result.curves[0].train_loss == pytest.approx(result.curves[1].train_loss, abs=1e-9)


def test_a_loss_that_is_not_finite_names_epoch_and_remedy(blocks):
    windows, train, validation, _ = blocks
    broken = replace(windows, target=windows.target.clone())
    broken.target[train[3]] = torch.inf
    module = build(VARIANTS["none"], 4, NETWORK, 0)
    with pytest.raises(ValueError, match=r"in epoch 1 it is (inf|nan).*lower learning_rate"):
        fit(module, broken, train, validation, TRAINING, 0)


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("block", ["training", "validation"])
def test_too_few_samples_are_refused(blocks, block, count):
    windows, train, validation, _ = blocks
    cut = {"training": (train[:count], validation), "validation": (train, validation[:count])}
    module = build(VARIANTS["none"], 4, NETWORK, 0)
    with pytest.raises(ValueError, match=f"{block} needs at least 2 samples; it has {count}"):
        fit(module, windows, *cut[block], TRAINING, 0)


@pytest.mark.parametrize("together", [1, 30, 256])
@pytest.mark.parametrize("variant", ["none", "revin", "batch_norm_date", "causal_batch_norm"])
def test_a_date_is_scored_alike_whatever_else_is_asked_for(blocks, variant, together, monkeypatch):
    monkeypatch.setattr(engine, "SCORED_TOGETHER", together)  # 9 symbols: alone, by 3, by 28
    windows, _, _, test = blocks
    module, _ = trained(blocks, replace(TRAINING, epochs=1), variant=variant)
    everything = predict(module, windows, test)
    days = windows.date(test)
    for asked in ([357], range(330, 400, 2), [399, 330], range(341, 350)):
        chosen = torch.isin(days, torch.tensor(asked)).nonzero().squeeze(1)
        chosen = chosen[torch.randperm(len(chosen), generator=torch.Generator().manual_seed(0))]
        assert len(asked) < len(chosen) < len(test)
        assert torch.equal(predict(module, windows, test[chosen]), everything[chosen])


@pytest.mark.parametrize("variant", ["none", "revin", "batch_norm_date"])
def test_scoring_equals_one_plain_forward_pass(blocks, variant):
    windows, _, _, test = blocks
    module, _ = trained(blocks, replace(TRAINING, epochs=1), variant=variant)
    module.eval()
    with torch.no_grad():
        expected = module(windows.gather(test), windows.date(test))
    torch.testing.assert_close(predict(module, windows, test), expected, rtol=1e-5, atol=1e-6)


def test_scoring_restores_mixed_modes_even_after_a_failure(blocks):
    windows, _, _, test = blocks
    module = build(VARIANTS["batch_norm_hidden"], 4, NETWORK, 0).train()
    module.dropout.eval()
    state = deepcopy(module.state_dict())
    predict(module, windows, test)
    assert module.training
    assert not module.dropout.training
    assert equal(state, module.state_dict())
    narrow = replace(windows, rows=windows.rows[:, :2])
    with pytest.raises(RuntimeError):
        predict(module, narrow, test)
    assert module.training


def test_scoring_nothing_gives_nothing(blocks):
    module = build(VARIANTS["none"], 4, NETWORK, 0)
    assert predict(module, blocks[0], torch.empty(0, dtype=torch.int64)).shape == (0,)


def test_device_is_the_one_asked_for():
    assert engine.device(TrainingSpec(device="cpu")) == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert engine.device(TrainingSpec()) == torch.device(expected)
