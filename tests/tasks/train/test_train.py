import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.flows.processes.workers import start_worker
from foldproof.models import engine
from foldproof.models.engine import lstm_engine
from foldproof.models.native.kernel import Kernel
from foldproof.models.spec import NetworkSpec
from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build
from foldproof.tasks.split import Fold
from foldproof.tasks.train import (
    TrainedUnit,
    TrainingError,
    Unit,
    network_of,
    normalized,
    score,
    train_unit,
)
from foldproof.tasks.train.serving.model import ModelInputs, read_served, write_served
from foldproof.tasks.train.train import on_target, target_scale
from tests.tasks.train.conftest import changed
from tests.variants import EVERY_VARIANT


def same_bits(one: TrainedUnit, other: TrainedUnit) -> bool:
    arrays = [*one.weights.items(), *one.statistics.items()]
    theirs = other.weights | other.statistics
    return (
        all(np.array_equal(array, theirs[name], equal_nan=True) for name, array in arrays)
        and one.forecasts.equals(other.forecasts)
        and one.curves.equals(other.curves)
    )


@pytest.fixture(scope="module")
def trained(unit: Unit, panel: Panel) -> TrainedUnit:
    torch.set_num_threads(1)
    return train_unit(unit, panel)


def test_the_same_unit_twice_is_the_same_to_the_bit(
    unit: Unit, panel: Panel, trained: TrainedUnit
) -> None:
    torch.manual_seed(99)  # the global generator's state must not matter
    assert same_bits(train_unit(unit, panel), trained)
    assert not same_bits(train_unit(replace(unit, seed=1), panel), trained)


@pytest.mark.slow
def test_a_worker_process_gives_the_same_bits(
    unit: Unit, panel: Panel, trained: TrainedUnit
) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=start_worker) as pool:
        others = [pool.submit(train_unit, unit, panel) for _ in range(2)]
        assert all(same_bits(other.result(), trained) for other in others)


@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_every_variant_forecasts_the_whole_test_block(
    variant: str, unit: Unit, panel: Panel, fold: Fold
) -> None:
    trained = train_unit(replace(unit, variant=variant), panel)
    forecasts = trained.forecasts
    assert list(forecasts) == [
        "date", "symbol", "fold", "variant", "seed", "forecast", "target",
    ]  # fmt: skip
    cells = panel.member[fold.test.start : fold.test.stop].sum()
    assert len(forecasts) == cells == len(forecasts.drop_duplicates(["date", "symbol"]))
    assert np.isfinite(forecasts["forecast"]).all()
    assert forecasts["forecast"].std() > 0
    wide = forecasts.pivot(index="date", columns="symbol", values="target")
    block = panel.target[fold.test.start : fold.test.stop]
    np.testing.assert_array_equal(wide[list(panel.symbols)].to_numpy(), block.astype(float))


@pytest.mark.parametrize("variant", ["zscore", "rolling_zscore", "cs_rank", "revin"])
def test_the_planted_signal_is_found(variant: str, unit: Unit, panel: Panel) -> None:
    longer = replace(unit, variant=variant, training=replace(unit.training, epochs=12))
    forecasts = train_unit(longer, panel).forecasts
    known = forecasts.dropna()
    assert known["forecast"].corr(known["target"], method="spearman") > 0.1


def test_a_unit_trained_on_another_target_is_scored_on_the_common_one(
    unit: Unit, panel: Panel, trained: TrainedUnit
) -> None:
    """Only the unit of its forecasts changes: their ranks and what was trained do not."""
    synthetic = SyntheticSpec(days=420, symbols=16, n_features=5, signal=0.3, seed=3)
    spec = DataSpec(source="linear", features="ready", min_history=50, synthetic=synthetic)
    ranks = build(spec, TargetSpec(horizon=1, kind="cs_rank"))
    own = train_unit(replace(unit, variant="zscore -> cs_rank", panel=ranks.fingerprint), ranks)
    plain = train_unit(replace(unit, panel=ranks.fingerprint), ranks)
    assert all(np.array_equal(own.weights[name], plain.weights[name]) for name in own.weights)
    scored = on_target(own, panel)
    assert scored["target"].equals(trained.forecasts["target"])
    assert not scored["forecast"].equals(trained.forecasts["forecast"])
    factor = target_scale(panel, unit.fold.train) / target_scale(ranks, unit.fold.train)
    np.testing.assert_allclose(scored["forecast"], own.forecasts["forecast"] * factor)
    assert (scored["variant"] == "zscore -> cs_rank").all()
    assert on_target(trained, panel) is trained.forecasts


def test_nothing_of_the_test_block_reaches_the_weights(
    unit: Unit, panel: Panel, fold: Fold, trained: TrainedUnit
) -> None:
    other = train_unit(unit, changed(panel, slice(fold.test.start, None)))
    assert all(
        np.array_equal(other.weights[name], array) for name, array in trained.weights.items()
    )
    assert other.best_epoch == trained.best_epoch


def test_a_forecast_does_not_change_when_later_rows_change(
    panel: Panel, fold: Fold, trained: TrainedUnit
) -> None:
    cut = fold.test.start + 40
    rows = range(fold.test.start, cut)
    honest = score(trained, panel, rows)
    pd.testing.assert_frame_equal(
        score(trained, changed(panel, slice(cut, None)), rows), honest, check_exact=True
    )


def test_the_control_moves_with_the_future(unit: Unit, panel: Panel, fold: Fold) -> None:
    control = replace(unit, variant="full_sample_zscore")
    honest = train_unit(control, panel)
    other = train_unit(control, changed(panel, slice(fold.test.start, None)))
    assert any(not np.array_equal(other.weights[n], array) for n, array in honest.weights.items())


def test_forecasts_are_in_target_units(unit: Unit, panel: Panel, trained: TrainedUnit) -> None:
    """A panel whose target is a thousand times larger has forecasts a thousand times larger."""
    larger = replace(panel, target=panel.target * np.float32(1024))
    other = train_unit(unit, larger)
    np.testing.assert_allclose(
        other.forecasts["forecast"], 1024 * trained.forecasts["forecast"], rtol=1e-6
    )


def test_score_is_the_network_on_the_normalized_panel(
    panel: Panel, fold: Fold, trained: TrainedUnit
) -> None:
    """Recomputed window by window, without the engine."""
    network = network_of(trained, len(panel.features))
    assert not network.training
    values = normalized(trained.unit, panel, trained.statistics).values
    frame = score(trained, panel, fold.test).head(20)
    with torch.no_grad():
        for _, (date, symbol, forecast) in frame.iterrows():
            d = int(np.searchsorted(panel.dates, np.datetime64(date, "D")))
            s = list(panel.symbols).index(symbol)
            window = values[d - 4 : d + 1, s].unsqueeze(0)
            expected = network(window, torch.tensor([d])).item() * trained.target_scale
            assert forecast == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_a_window_without_rows_says_why(unit: Unit, panel: Panel) -> None:
    longer = replace(unit, network=NetworkSpec(window=400))
    with pytest.raises(TrainingError, match="0 complete windows of 400 rows with a known label"):
        train_unit(longer, panel)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: replace(p, target=np.zeros_like(p.target)), "do not vary"),
        (lambda p: replace(p, target=np.full_like(p.target, np.nan)), "the 0 known targets"),
        (
            lambda p: replace(p, values=np.full_like(p.values, np.nan)),
            "variant zscore, fold 0: feature columns [0, 1, 2, 3, 4] have no finite value",
        ),
    ],
)
def test_the_error_says_why_a_unit_cannot_be_trained(
    change, message: str, unit: Unit, panel: Panel
) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        train_unit(unit, change(panel))


def test_the_key_depends_on_every_setting(unit: Unit) -> None:
    others = [
        replace(unit, variant="none"),
        replace(unit, seed=1),
        replace(unit, fold=replace(unit.fold, test=unit.fold.test[:-1])),
        replace(unit, network=NetworkSpec(window=5, hidden=9, dropout=0.1)),
        replace(unit, training=replace(unit.training, epochs=5)),
        replace(unit, panel="other"),
        replace(unit, plan="other"),
    ]  # fmt: skip
    keys = {one.key for one in [unit, *others]}
    assert len(keys) == 1 + len(others)
    assert replace(unit).key == unit.key


def test_groups_of_features_train_and_score_from_their_state(
    unit: Unit, panel: Panel, tmp_path: Path
) -> None:
    first, *others = panel.features
    one = replace(
        unit, variant=f"instance_norm({first}) & cs_rank(*)",
        training=replace(unit.training, epochs=1),
    )  # fmt: skip
    trained = train_unit(one, panel)
    assert trained.statistics["columns"].tolist() == [0] + [1] * len(others)
    assert np.isfinite(trained.forecasts["forecast"]).all()
    data = DataSpec(source="linear", features="ready", min_history=50)
    served = read_served(*write_served(trained, panel.features, data, tmp_path).values())
    inputs = ModelInputs(
        panel.dates, panel.symbols, panel.features, np.array(panel.values), np.array(panel.member)
    )
    row = one.fold.test.start
    known = trained.forecasts[trained.forecasts["date"] == panel.dates[row]]
    scores = pd.Series(served.scores(inputs, row), panel.symbols)[known["symbol"]]
    np.testing.assert_allclose(scores, known["forecast"], rtol=1e-5, atol=1e-6)
    wrong = replace(one, variant=f"cs_rank({first}) & zscore(nothing)")
    with pytest.raises(TrainingError, match=f"leaves out the feature {others[0]!r}"):
        train_unit(wrong, panel)
    assert re.fullmatch(r"[\w.-]+", one.key)


def test_the_engine_of_a_cell_that_runs_in_torch_is_torch(unit: Unit, panel: Panel) -> None:
    short = replace(unit.training, epochs=1)
    for variant in ("recurrent_batch_norm", "weight_norm"):
        one = train_unit(replace(unit, variant=variant, training=short), panel)
        native = lstm_engine(unit.network, unit.training)
        assert one.engine == (native if variant == "weight_norm" else "torch")


def test_units_of_another_engine_are_other_units(
    unit: Unit, panel: Panel, trained: TrainedUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trained.engine == lstm_engine(unit.network, unit.training)
    monkeypatch.setattr(engine, "kernel", lambda: Kernel("some", torch.float32, "version", None))
    native = unit.key
    monkeypatch.setattr(engine, "kernel", lambda: None)
    assert unit.key != native
    asked = replace(unit, training=replace(unit.training, engine="native", device="cpu"))
    with pytest.raises(TrainingError, match=r"zscore, fold 0: training.engine: native is not"):
        train_unit(asked, panel)


def test_both_engines_train_the_same_unit_up_to_rounding(
    unit: Unit, panel: Panel, trained: TrainedUnit
) -> None:
    plain = replace(unit, training=replace(unit.training, engine="torch"))
    other = train_unit(plain, panel)
    assert other.engine == "torch"
    np.testing.assert_allclose(other.curves, trained.curves, rtol=1e-5)
    np.testing.assert_allclose(
        other.forecasts["forecast"], trained.forecasts["forecast"], rtol=1e-3, atol=1e-6
    )


def test_the_key_depends_on_the_file_of_a_user_s_variant(
    unit: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "variant_of_a_user.py"
    file.write_text(
        "from foldproof.models.normalizers import VARIANTS\nmine = VARIANTS['zscore']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = replace(unit, variant="variant_of_a_user:mine")
    both = replace(unit, variant="variant_of_a_user:mine + layer_norm @ date")
    before = own.key, both.key
    assert (own.key, both.key) == before
    assert before[0].startswith("variant_of_a_user.mine-f")
    assert before[1].startswith("variant_of_a_user.mine.layer_norm.date-f")
    file.write_text(file.read_text().replace("zscore", "cs_rank"))
    assert own.key != before[0]
    assert both.key != before[1]
