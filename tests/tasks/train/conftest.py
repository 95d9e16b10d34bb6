from dataclasses import replace

import numpy as np
import pytest
import torch

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build
from foldproof.tasks.split import Fold, WalkForward, plan_hash
from foldproof.tasks.train import Unit

SPLIT = WalkForward(train=250, validation=60, test=80, embargo=1, anchor="end", keep=1)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def panel() -> Panel:
    """A planted linear signal, 420 days x 16 stocks."""
    synthetic = SyntheticSpec(days=420, symbols=16, n_features=5, signal=0.3, seed=3)
    spec = DataSpec(source="linear", features="ready", min_history=50, synthetic=synthetic)
    return build(spec, TargetSpec(horizon=1, kind="return"))


@pytest.fixture(scope="session")
def fold(panel: Panel) -> Fold:
    return SPLIT.folds(panel.dates, panel.label_end)[0]


@pytest.fixture(scope="session")
def unit(panel: Panel, fold: Fold) -> Unit:
    return Unit(
        variant="zscore",
        fold=fold,
        seed=0,
        network=NetworkSpec(window=5, hidden=8, dropout=0.1),
        training=TrainingSpec(epochs=4, batch_size=256, learning_rate=1e-2),
        panel=panel.fingerprint,
        plan=plan_hash((fold,)),
    )


def changed(panel: Panel, rows: slice, seed: int = 0) -> Panel:
    """The panel with features and targets of ``rows`` replaced by noise."""
    draw = np.random.default_rng(seed).standard_normal
    values, target = np.array(panel.values), np.array(panel.target)
    values[rows] = draw(values[rows].shape) * 5
    target[rows] = draw(target[rows].shape) * 5
    return replace(panel, values=values, target=target)
