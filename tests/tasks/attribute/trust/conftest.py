from collections.abc import Callable

import numpy as np
import pytest

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.train import TrainedUnit, Unit, train_unit

DATES, SYMBOLS, FEATURES = 200, 12, 8


@pytest.fixture(scope="session")
def wide_panel() -> Panel:
    """Eight features; the target is 0.5 f1 - 0.4 f3 one row earlier + 0.25 f6."""
    rng = np.random.default_rng(7)
    values = rng.standard_normal((DATES, SYMBOLS, FEATURES), dtype=np.float32)
    target = 0.5 * values[:, :, 1] + 0.25 * values[:, :, 6]
    target += 0.1 * rng.standard_normal((DATES, SYMBOLS))
    target[1:] -= 0.4 * values[:-1, :, 3]
    dates = np.datetime64("2020-01-01") + np.arange(DATES)
    return Panel(
        dates=dates,
        symbols=np.array([f"S{s}" for s in range(SYMBOLS)]),
        features=tuple(f"f{k}" for k in range(FEATURES)),
        values=values,
        target=(0.02 * target).astype(np.float32),
        label_end=dates + 1,
        member=np.ones((DATES, SYMBOLS), dtype=bool),
        fingerprint="wide",
    )


@pytest.fixture(scope="session")
def fit(wide_panel: Panel) -> Callable[..., TrainedUnit]:
    """Train a unit of a variant, seed and fold on a panel with the same dates; kept a session."""
    training = TrainingSpec(epochs=6, batch_size=64, learning_rate=1e-2, device="cpu")
    network = NetworkSpec(window=5, hidden=8)
    kept: dict[tuple[str, int, int, str], TrainedUnit] = {}

    def of(
        variant: str = "zscore", seed: int = 0, fold: int = 0, panel: Panel = wide_panel
    ) -> TrainedUnit:
        key = (variant, seed, fold, panel.fingerprint)
        if key not in kept:
            start = 20 * fold
            cut = Fold(
                fold,
                range(start, start + 90),
                range(start + 91, start + 115),
                range(start + 116, start + 160),
                panel.dates,
            )
            unit = Unit(variant, cut, seed, network, training, panel.fingerprint, "plan")
            kept[key] = train_unit(unit, panel)
        return kept[key]

    return of
