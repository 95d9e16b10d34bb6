from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build
from foldproof.tasks.split import Fold, WalkForward, plan_hash
from foldproof.tasks.train import TrainedUnit, Unit, train_unit


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """Long rows of 5 stocks: positive close, centred x with holes, a late listing, a delisting."""
    draw = np.random.default_rng(0)
    dates = pd.bdate_range("2020-01-01", periods=100)
    rows = pd.DataFrame([(date, name) for date in dates for name in "ABCDE"])
    rows.columns = pd.Index(["date", "symbol"])
    steps = draw.normal(0, 0.02, (len(dates), 5))
    rows["close"] = 20 * np.exp(steps.cumsum(axis=0)).ravel()
    rows["x"] = draw.normal(size=len(rows))
    rows.loc[draw.random(len(rows)) < 0.03, "x"] = np.nan
    late = (rows["symbol"] == "D") & (rows["date"] < dates[40])
    gone = (rows["symbol"] == "E") & (rows["date"] > dates[70])
    return rows[~(late | gone)].reset_index(drop=True)


@pytest.fixture(scope="session")
def panel() -> Panel:
    """A planted linear signal, 420 days x 12 stocks."""
    synthetic = SyntheticSpec(days=420, symbols=12, n_features=4, signal=0.3, seed=3)
    spec = DataSpec(source="linear", features="ready", min_history=50, synthetic=synthetic)
    return build(spec, TargetSpec(horizon=1, kind="return"))


@pytest.fixture(scope="session")
def fold(panel: Panel) -> Fold:
    plan = WalkForward(train=200, validation=50, test=60, embargo=1, keep=1)
    return plan.folds(panel.dates, panel.label_end)[0]


@pytest.fixture(scope="session")
def trained(panel: Panel, fold: Fold):
    """Trained units of this session by variant."""

    @cache
    def unit_of(variant: str) -> TrainedUnit:
        unit = Unit(
            variant=variant,
            fold=fold,
            seed=0,
            network=NetworkSpec(window=4, hidden=6, dropout=0.1),
            training=TrainingSpec(epochs=2, batch_size=256, learning_rate=1e-2),
            panel=panel.fingerprint,
            plan=plan_hash((fold,)),
        )
        return train_unit(unit, panel)

    return unit_of
