from collections.abc import Callable

import numpy as np
import pytest
import torch

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.train import TrainedUnit, Unit, train_unit

DATES, SYMBOLS, WINDOW = 160, 8, 5
FEATURES = ("noise", "planted", "small", "lagged")
UNITS = np.array([1.0, 10.0, 0.1, 1.0], dtype=np.float32)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def panel() -> Panel:
    """The target is 0.5 planted (newest row, in its own sd) - 0.4 lagged (one row earlier)."""
    rng = np.random.default_rng(7)
    values = rng.standard_normal((DATES, SYMBOLS, len(FEATURES)), dtype=np.float32)
    target = 0.5 * values[:, :, 1] + 0.1 * rng.standard_normal((DATES, SYMBOLS))
    target[1:] -= 0.4 * values[:-1, :, 3]
    dates = np.datetime64("2020-01-01") + np.arange(DATES)
    return Panel(
        dates=dates,
        symbols=np.array([f"S{s}" for s in range(SYMBOLS)]),
        features=FEATURES,
        values=values * UNITS,
        target=(0.02 * target).astype(np.float32),
        label_end=dates + 1,
        member=np.ones((DATES, SYMBOLS), dtype=bool),
        fingerprint="panel",
    )


@pytest.fixture(scope="session")
def trained(panel: Panel) -> Callable[[str], TrainedUnit]:
    """A unit of any variant, trained once a session."""
    fold = Fold(0, range(90), range(91, 115), range(116, DATES), panel.dates)
    training = TrainingSpec(epochs=6, batch_size=64, learning_rate=1e-2, device="cpu")
    kept: dict[str, TrainedUnit] = {}

    def of(variant: str) -> TrainedUnit:
        if variant not in kept:
            network = NetworkSpec(window=WINDOW, hidden=8)
            unit = Unit(variant, fold, 0, network, training, panel.fingerprint, "plan")
            kept[variant] = train_unit(unit, panel)
        return kept[variant]

    return of
