"""A small registered champion: trained, logged and given the alias as it is in operation."""

from datetime import date
from pathlib import Path

import pandas as pd

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build, load_raw
from foldproof.tasks.split import Fold, WalkForward, plan_hash
from foldproof.tasks.track.model.forecaster import forecaster_files
from foldproof.tasks.track.model.log_model import log_model
from foldproof.tasks.track.store import Store
from foldproof.tasks.train import TrainedUnit, Unit, train_unit

DATA = DataSpec(
    source="linear", features="ready", min_history=50,
    synthetic=SyntheticSpec(days=420, symbols=16, n_features=5, signal=0.3, seed=3),
)  # fmt: skip
TARGET = TargetSpec(horizon=1, kind="return")
SPLIT = WalkForward(train=250, validation=60, test=80, embargo=1, anchor="end", keep=1)


def panel() -> Panel:
    return build(DATA, TARGET)


def fold_of(content: Panel) -> Fold:
    return SPLIT.folds(content.dates, content.label_end)[0]


def trained(variant: str = "zscore", seed: int = 0, epochs: int = 4) -> TrainedUnit:
    content = panel()
    fold = fold_of(content)
    unit = Unit(
        variant, fold, seed, NetworkSpec(window=5, hidden=8),
        TrainingSpec(epochs=epochs, batch_size=256, learning_rate=0.01),
        content.fingerprint, plan_hash((fold,)),
    )  # fmt: skip
    return train_unit(unit, content)


def register(
    store: Store,
    one: TrainedUnit,
    folder: Path,
    name: str = "foldproof",
    importance: dict[str, float] | None = None,
) -> str:
    """Log the unit as a model and make it the champion; its version."""
    raw = load_raw(DATA)
    files = forecaster_files(one, features(raw), DATA, raw, folder, importance or {})
    run_id = store.client.create_run(store.experiment_id, run_name="test").info.run_id
    model_id = log_model(store, run_id, "forecaster", files)
    if not store.client.search_registered_models(f"name = '{name}'"):
        store.client.create_registered_model(name)
    place = store.client.get_logged_model(model_id).artifact_location
    made = store.client.create_model_version(name, place, run_id, model_id=model_id)
    store.client.set_registered_model_alias(name, "champion", made.version)
    return str(made.version)


def features(raw: pd.DataFrame) -> tuple[str, ...]:
    return tuple(name for name in raw if str(name).startswith("f"))


def nights(one: TrainedUnit, *places: int) -> list[date]:
    """Dates of the unit's test block."""
    return [date.fromisoformat(str(one.unit.fold.test_dates[k])) for k in places]
