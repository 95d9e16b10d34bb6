"""What the whole is for: a planted signal is found and attributed; in noise nothing is found."""

from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch

from models.normalizers import VARIANTS
from models.spec import NetworkSpec, TrainingSpec
from tasks.attribute import attribute_unit
from tasks.compare import daily
from tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build
from tasks.split import WalkForward, plan_hash
from tasks.train import TrainedUnit, Unit, train_unit
from tests.flows.conftest import Place

HONEST = [name for name, variant in VARIANTS.items() if not variant.control]


@cache
def planted(source: str) -> Panel:
    """Eight ready features, three or four of which carry a true IC of 0.2."""
    synthetic = SyntheticSpec(days=900, symbols=40, n_features=8, signal=0.2, seed=5)
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
        training=TrainingSpec(epochs=10, patience=4, learning_rate=5e-3),
        panel=panel.fingerprint,
        plan=plan_hash((fold,)),
    )
    return train_unit(unit, panel)


@pytest.mark.parametrize("variant", HONEST)
def test_every_honest_variant_finds_the_planted_signal(variant: str) -> None:
    found = daily(trained("linear", variant).forecasts)[variant]
    standard_error = found.std() / len(found) ** 0.5
    assert found.mean() > 4 * standard_error
    assert found.mean() > 0.1  # of the 0.2 that the best forecast has


@pytest.mark.parametrize("variant", HONEST)
def test_attribution_puts_the_planted_features_and_lags_first(variant: str) -> None:
    panel = planted("linear")
    attribution = attribute_unit(trained("linear", variant), panel, 300, 20, 0)
    truth = panel.about["truth"]
    for method in ("integrated_gradients", "citic", "citic_abs"):
        importance = attribution.importance.query("method == @method")
        ranked = importance.sort_values("importance", ascending=False)["feature"]
        assert set(ranked.head(len(truth))) == set(truth), method
    cells = attribution.lagged.query("method == 'integrated_gradients'")
    largest = cells.sort_values("absolute", ascending=False).head(len(truth))
    planted_cells = {(name, lag) for name, lags in truth.items() for lag in lags}
    assert set(zip(largest["feature"], largest["lag"], strict=True)) == planted_cells


@pytest.mark.parametrize("variant", ["none", "zscore", "cs_zscore", "layer_norm"])
def test_planted_lags_come_first(variant: str) -> None:
    """Signals 0, 2, 5 and 10 days back: each at its own feature and lag."""
    panel = planted("lagged")
    attribution = attribute_unit(trained("lagged", variant), panel, 300, 20, 0)
    truth = {(name, lag) for name, lags in panel.about["truth"].items() for lag in lags}
    cells = attribution.lagged.query("method == 'integrated_gradients'")
    largest = cells.sort_values("absolute", ascending=False).head(len(truth))
    assert set(zip(largest["feature"], largest["lag"], strict=True)) == truth


@pytest.mark.slow
def test_in_noise_no_honest_interval_excludes_zero(tmp_path: Path) -> None:
    """The preset noise.yaml as a user runs it: every variant and reference, jointly."""
    place = Place(tmp_path)
    place.config = Path(__file__).resolve().parents[1] / "conf" / "noise.yaml"
    done = place.run(timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    ranking = pd.read_csv(next(tmp_path.rglob("ranking.csv")), index_col="variant")
    assert set(VARIANTS) <= set(ranking.index)
    honest = ranking.drop(index=[name for name, one in VARIANTS.items() if one.control])
    excluding = honest[(honest["low"] > 0) | (honest["high"] < 0)]
    assert excluding.empty, excluding[["rank_ic", "low", "high"]].to_string()
    assert ranking.loc["full_sample_zscore", "verdict"] == "LEAK"
    assert "no skill is shown" in done.stdout
