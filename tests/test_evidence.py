"""End to end: a planted signal is found and attributed; in noise nothing is found."""

from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch

from foldproof.conf.load import load
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.attribute import attribute_unit, unit_inputs
from foldproof.tasks.compare.comparison import daily
from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build
from foldproof.tasks.split import WalkForward, plan_hash
from foldproof.tasks.train import TrainedUnit, Unit, train_unit
from tests.flows.conftest import Place

HONEST = [name for name in load("noise").variants if not VARIANTS[name].control]


@cache
def planted(source: str) -> Panel:
    """Eight ready features, three of which carry the signal; old lags are harder to learn."""
    signal = 0.5 if source == "lagged" else 0.3
    synthetic = SyntheticSpec(days=900, symbols=40, n_features=8, signal=signal, seed=5)
    spec = DataSpec(source=source, features="ready", min_history=50, synthetic=synthetic)
    return build(spec, TargetSpec(horizon=1, kind="return"))


@cache
def trained(source: str, variant: str) -> TrainedUnit:
    torch.set_num_threads(1)
    panel = planted(source)
    plan = WalkForward(train=550, validation=100, test=150, embargo=1, keep=1)
    fold = plan.folds(panel.dates, panel.label_end)[0]
    unit = Unit(
        variant=variant,
        fold=fold,
        seed=0,
        network=NetworkSpec(window=12, hidden=16),
        training=TrainingSpec(epochs=20, patience=5, learning_rate=5e-3),
        panel=panel.fingerprint,
        plan=plan_hash((fold,)),
    )
    return train_unit(unit, panel)


@pytest.mark.parametrize("variant", HONEST)
def test_every_honest_variant_finds_the_planted_signal(variant: str) -> None:
    found = daily(trained("linear", variant).forecasts)[variant]
    standard_error = found.std() / len(found) ** 0.5
    assert found.mean() > 4 * standard_error
    assert found.mean() > 0.2  # of the 0.3 that the best forecast has


@pytest.mark.parametrize("variant", HONEST)
def test_attribution_puts_the_planted_features_and_lags_first(variant: str) -> None:
    panel = planted("linear")
    attribution = attribute_unit(unit_inputs(trained("linear", variant), panel), 300, 20, 0)
    truth = panel.about["truth"]
    for method in ("integrated_gradients", "mean_partial", "mean_abs_partial"):
        importance = attribution.importance.query("method == @method")
        ranked = importance.sort_values("importance", ascending=False)["feature"]
        assert set(ranked.head(len(truth))) == set(truth), method
    cells = attribution.lagged.query("method == 'integrated_gradients'")
    if variant == "revin":  # which adds the window mean of f0 to the forecast: all lags carry it
        cells = cells[(cells["feature"] != "f0") | (cells["lag"] == 0)]
    assert first_cells(cells, len(truth)) == cells_of(truth)


def first_cells(cells: pd.DataFrame, number: int) -> set[tuple[str, int]]:
    """The (feature, lag) with the largest mean absolute attribution."""
    largest = cells.nlargest(number, "absolute")
    return set(zip(largest["feature"], largest["lag"], strict=True))


def cells_of(truth: dict[str, dict[int, float]]) -> set[tuple[str, int]]:
    """The planted (feature, lag)."""
    return {(name, lag) for name, lags in truth.items() for lag in lags}


@pytest.mark.parametrize("variant", ["none", "zscore", "cs_zscore", "layer_norm"])
def test_planted_lags_come_first(variant: str) -> None:
    """f0 today, f1 two days back, f2 five and ten days back, where an LSTM is off by one."""
    panel = planted("lagged")
    attribution = attribute_unit(unit_inputs(trained("lagged", variant), panel), 300, 20, 0)
    truth = panel.about["truth"]
    importance = attribution.importance.query("method == 'integrated_gradients'")
    assert set(importance.nlargest(len(truth), "importance")["feature"]) == set(truth)
    cells = attribution.lagged.query("method == 'integrated_gradients'")
    first = {name: cells[cells["feature"] == name].nlargest(1, "absolute") for name in truth}
    assert first["f0"]["lag"].item() == 0
    assert first["f1"]["lag"].item() == 2
    assert min(abs(first["f2"]["lag"].item() - lag) for lag in truth["f2"]) <= 1


@pytest.mark.long
def test_in_noise_no_honest_interval_excludes_zero(tmp_path: Path) -> None:
    """The preset noise.yaml as a user runs it: every variant and reference, jointly."""
    place = Place(tmp_path)
    place.config = Path(__file__).resolve().parents[1] / "conf" / "noise.yaml"
    done = place.run(timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    ranking = pd.read_csv(next(tmp_path.rglob("ranking.csv")), index_col="variant")
    assert set(load("noise").variants) <= set(ranking.index)
    honest = ranking.drop(index=[name for name, one in VARIANTS.items() if one.control])
    excluding = honest[(honest["low"] > 0) | (honest["high"] < 0)]
    assert excluding.empty, excluding[["rank_ic", "low", "high"]].to_string()
    assert ranking.loc["full_sample_zscore", "verdict"] == "LEAK"
    assert "no skill is shown" in done.stdout
