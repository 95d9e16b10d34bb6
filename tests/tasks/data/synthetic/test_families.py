import numpy as np
import pandas as pd
import pytest

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.compare.comparison import daily
from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build, load_raw
from foldproof.tasks.data.synthetic.families import CENTRE
from foldproof.tasks.split import WalkForward, plan_hash
from foldproof.tasks.train import Unit, train_unit

WINNERS = {"levels": ("none", "zscore"), "ranks": ("cs_rank",), "shocks": ("rolling_zscore",)}


def spec(source: str, days: int, symbols: int, signal: float = 0.3, seed: int = 0) -> DataSpec:
    size = SyntheticSpec(days, symbols, 4, signal, seed=seed)
    return DataSpec(source=source, features="ready", min_history=1, synthetic=size)


def units(source: str, frame: pd.DataFrame) -> pd.DataFrame:
    """f0 and f1 in the units of the source's family, from the raw rows alone."""
    features = frame[["f0", "f1"]]
    if source == "levels":
        return features - CENTRE
    if source == "ranks":
        return features.groupby(frame["date"]).rank() - frame["symbol"].nunique() / 2 - 0.5
    logs = np.log(features)
    return logs - logs.groupby(frame["symbol"]).transform(lambda x: x.rolling(42).mean())


@pytest.mark.parametrize("source", WINNERS)
def test_the_product_in_the_right_units_reaches_the_stated_rank_ic(source: str) -> None:
    frame = load_raw(spec(source, 300, 60))
    about = build(spec(source, 300, 60), TargetSpec(1, "return")).about
    assert about["information_coefficient"] == 0.3
    assert 0.18 < about["best_rank_ic"] < 0.3
    wide = frame.assign(score=units(source, frame).prod(axis=1, skipna=False)).pivot(
        index="date", columns="symbol", values=["score", "target"]
    )
    found = wide["score"].corrwith(wide["target"], axis=1, method="spearman").mean()
    assert 0.8 < found / about["best_rank_ic"] < 1.1  # own scales are estimated
    alone = [frame[name].corr(frame["target"]) for name in ("f0", "f1", "f2", "f3")]
    assert np.abs(alone).max() < 0.04  # no feature alone carries it


@pytest.mark.parametrize("source", WINNERS)
def test_a_seed_draws_the_same_rows_again(source: str) -> None:
    pd.testing.assert_frame_equal(load_raw(spec(source, 30, 3)), load_raw(spec(source, 30, 3)))
    other = load_raw(spec(source, 30, 3, seed=1))
    assert not load_raw(spec(source, 30, 3))["target"].equals(other["target"])


def rank_ic(panel: Panel, variant: str) -> float:
    """Of a small network on one fold."""
    plan = WalkForward(train=600, validation=100, test=200, embargo=1, keep=1)
    fold = plan.folds(panel.dates, panel.label_end)[0]
    network = NetworkSpec(window=10, hidden=16)
    training = TrainingSpec(epochs=8, patience=3, learning_rate=3e-3)
    key = plan_hash((fold,))
    unit = Unit(variant, fold, 0, network, training, panel=panel.fingerprint, plan=key)
    return float(daily(train_unit(unit, panel).forecasts)[variant].mean())


@pytest.mark.slow
@pytest.mark.parametrize("source", WINNERS)
def test_the_stated_family_wins(source: str) -> None:
    panel = build(spec(source, 1000, 40), TargetSpec(1))
    variants = ("none", "zscore", "cs_rank", "rolling_zscore")
    found = {name: rank_ic(panel, name) for name in variants}
    worst = min(found[name] for name in WINNERS[source])
    others = [found[name] for name in variants if name not in WINNERS[source]]
    assert worst > 0.6 * panel.about["best_rank_ic"]
    assert worst > max(others) + 0.1
