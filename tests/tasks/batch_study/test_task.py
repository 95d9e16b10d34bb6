from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from foldproof.models import engine
from foldproof.models.batches import BATCHES
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.batch_study import (
    Composition,
    Scored,
    in_train_mode,
    rank_ic,
    scored_cell,
    why_not,
)
from foldproof.tasks.batch_study import cell as cells
from foldproof.tasks.compare.metrics import correlation
from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build
from foldproof.tasks.diagnose.network.calls import changed_state, state_of
from foldproof.tasks.split import WalkForward, plan_hash
from foldproof.tasks.train import Unit, network_of, train_unit

COMPOSITIONS = (
    Composition("shuffled", size=64),
    Composition("date_block", dates=1),
    Composition("date_block", dates=3),
    Composition("chronological", dates=3),
    Composition("symbol", size=8),
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def noise() -> Panel:
    size = SyntheticSpec(days=360, symbols=12, signal=0.0, seed=4)
    spec = DataSpec(
        "echo",
        features="foldproof.tasks.data.synthetic.echo:recent",
        min_history=50,
        synthetic=size,
    )
    return build(spec, TargetSpec(1, "cs_zscore"))


def unit_of(panel: Panel, variant: str, composition: Composition, epochs: int = 1) -> Unit:
    split = WalkForward(train=160, validation=20, test=80, embargo=1, keep=1)
    folds = split.folds(panel.dates, panel.label_end)
    training = TrainingSpec(epochs=epochs, learning_rate=0.01, device="cpu")
    return Unit(
        variant=variant,
        fold=folds[-1],
        seed=0,
        network=NetworkSpec(window=5, hidden=8, dropout=0.2),
        training=composition.training(training, len(panel.symbols)),
        panel=panel.fingerprint,
        plan=plan_hash(folds),
    )


def in_both_modes(panel: Panel, unit: Unit) -> tuple[Tensor, Tensor]:
    """Honest forecasts and those in train mode on the unit's own batches."""
    trained = train_unit(unit, panel)
    samples, windows = cells.test_samples(trained, panel)
    network = network_of(trained, len(panel.features))
    before = state_of(network)
    moved = in_train_mode(
        network, windows, samples, unit.training.batches, unit.training.batch_size, 0
    )
    assert not changed_state(before, network), "scoring in train mode changed the network"
    assert not network.training
    return engine.predict(network, windows, samples), moved


@pytest.mark.parametrize("variant", ["none", "layer_norm", "cs_rank"])
def test_without_batch_statistics_the_mode_does_not_matter(noise: Panel, variant: str) -> None:
    for composition in COMPOSITIONS:
        honest, moved = in_both_modes(noise, unit_of(noise, variant, composition))
        torch.testing.assert_close(moved, honest, atol=1e-5, rtol=1e-5)


def test_date_statistics_are_the_same_in_both_modes(noise: Panel) -> None:
    composition = Composition("date_block", dates=3)
    honest, moved = in_both_modes(noise, unit_of(noise, "batch_norm_date", composition))
    torch.testing.assert_close(moved, honest, atol=1e-5, rtol=1e-5)


def test_train_mode_normalizes_by_the_batch_itself(noise: Panel) -> None:
    """Recomputed by hand: one batch, its own mean and standard deviation."""
    unit = unit_of(noise, "batch_norm_hidden", Composition("symbol", size=8))
    trained = train_unit(unit, noise)
    samples, windows = cells.test_samples(trained, noise)
    network = network_of(trained, len(noise.features))
    moved = in_train_mode(network, windows, samples, "symbol", 8, seed=0)
    batch = BATCHES["symbol"].cut(
        samples, windows.date(samples), windows.symbol(samples), 8, torch.Generator().manual_seed(0)
    )[3]
    with torch.no_grad():
        last = network.lstm(windows.gather(batch))[1][0][-1]
        z = (last - last.mean(0)) / (last.var(0, unbiased=False) + 1e-5).sqrt()
        norm = network.hidden.norm  # type: ignore[union-attr]
        by_hand = network.head(z * norm.weight + norm.bias).squeeze(-1)
    place = {int(sample): k for k, sample in enumerate(samples)}
    found = moved[[place[int(sample)] for sample in batch]]
    torch.testing.assert_close(found, by_hand, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def planted(noise: Panel) -> Scored:
    """Batch norm on a few days of one symbol, which allows the shortcut."""
    composition = Composition("symbol", size=8)
    return scored_cell(unit_of(noise, "batch_norm_hidden", composition, epochs=6), noise)


def test_on_noise_the_shortcut_shows_only_in_train_mode(planted: Scored) -> None:
    error = 1 / (12 * 80) ** 0.5
    assert planted.train_mode > 0.15 > 4 * error
    assert abs(planted.honest) < 4 * error
    assert abs(planted.train_mode_dates) < 4 * error


def test_the_same_network_finds_nothing_on_shuffled_noise(noise: Panel, planted: Scored) -> None:
    shuffled = unit_of(noise, "batch_norm_hidden", Composition("shuffled", size=256), epochs=6)
    control = scored_cell(shuffled, noise)
    assert abs(control.train_mode) < 4 / (12 * 80) ** 0.5 < planted.train_mode


@pytest.mark.parametrize(
    ("forecast", "expected"),
    [([1.0, 2, 3, 4], 1.0), ([4.0, 3, 2, 1], -1.0), ([1.0, 1, 1, 1], 0.0), ([1.0, 2, 4, 3], 0.8)],
)
def test_rank_ic_of_one_date(forecast: list[float], expected: float) -> None:
    target = torch.tensor([10.0, 20.0, 30.0, 40.0])
    assert rank_ic(torch.tensor(forecast), target, torch.zeros(4)) == pytest.approx(expected)


def test_rank_ic_equals_the_metric_of_the_comparison() -> None:
    """With ties, gaps and a date of constant forecasts."""
    draw = np.random.default_rng(0)
    forecast, target = draw.integers(0, 6, (30, 9)).astype(float), draw.normal(size=(30, 9))
    target[draw.random((30, 9)) < 0.2] = np.nan
    forecast[7] = 1.0
    known = np.where(np.isnan(target), np.nan, forecast)
    ranks = [pd.DataFrame(x).rank(axis=1).to_numpy() for x in (known, target)]
    dates = np.repeat(np.arange(30), 9)
    found = rank_ic(*(torch.from_numpy(x.ravel()) for x in (forecast, target, dates)))
    assert found == pytest.approx(correlation(*ranks).mean(), abs=1e-12)


def test_chance_is_the_standard_deviation_of_rank_ics_without_skill() -> None:
    draw = np.random.default_rng(1)
    target, dates = torch.from_numpy(draw.normal(size=180)), torch.arange(180) // 9
    target[::7] = torch.nan
    found = [rank_ic(torch.from_numpy(draw.normal(size=180)), target, dates) for _ in range(400)]
    assert np.std(found) == pytest.approx(cells.chance(target, dates), rel=0.12)
    assert cells.chance(torch.ones(8), torch.zeros(8)) == pytest.approx(7**-0.5)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_cell_is_trained_on_its_batches_or_has_a_reason_not_to_be(name: str) -> None:
    for composition in COMPOSITIONS:
        own = VARIANTS[name].batches
        reason = why_not(name, composition)
        if own is not None and own != composition.batches:
            assert reason
            assert own in reason or "date" in reason
        else:
            assert reason is None


def test_sizes_in_dates_are_counted_in_samples() -> None:
    spec = TrainingSpec(epochs=9)
    block = Composition("date_block", dates=5, epochs=2).training(spec, symbols=20)
    assert (block.batches, block.batch_size, block.epochs) == ("date_block", 100, 2)
    one = Composition("symbol", size=32).training(spec, symbols=20)
    assert one == replace(spec, batches="symbol", batch_size=32)


@pytest.mark.parametrize("dates", [1, 3])
def test_a_date_block_holds_the_stated_number_of_dates(noise: Panel, dates: int) -> None:
    unit = unit_of(noise, "none", Composition("date_block", dates=dates))
    date, symbol = np.divmod(np.arange(160 * 12), 12)
    batches = BATCHES["date_block"].cut(
        torch.arange(160 * 12), torch.from_numpy(date), torch.from_numpy(symbol),
        unit.training.batch_size, torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert {len(np.unique(date[batch])) for batch in batches} - {160 % dates} == {dates}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batches": "symbol"}, "symbol batches are sized by size alone"),
        ({"batches": "symbol", "size": 8, "dates": 2}, "by size alone; size is 8 and dates is 2"),
        ({"batches": "date_block", "size": 8}, "date_block batches are sized by dates alone"),
        ({"batches": "symbol", "size": 1}, "size must be at least 2; it is 1"),
        ({"batches": "date_block", "dates": 0}, "must be at least 1; it is 0"),
        ({"batches": "symbol", "size": 8, "epochs": 0}, "epochs must be at least 1"),
    ],
)
def test_an_invalid_composition_is_refused_by_name(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Composition(**settings)  # type: ignore[arg-type]
