"""The files of a trained unit as an MLflow model."""

import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.data import DataSpec
from foldproof.tasks.track.model.log_model import ModelFiles
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.model import ModelInputs, example_rows, write_served
from foldproof.tasks.train.serving.record import NOTHING, background_of, served_of
from foldproof.tasks.train.serving.rows import as_input
from foldproof.tasks.version import ROOT, sources

SCORING = ("foldproof.tasks.data", "foldproof.tasks.train.serving.model")
"""Modules that served_model.py imports; a model contains them and their imports."""
NEEDED = ("torch", "numpy", "pandas", "pandera", "pydantic", "pyarrow", "safetensors")
"""Packages that scoring imports: the environment of the model."""
EXAMPLE_SYMBOLS, EXAMPLE_DATES = 20, 5
"""Most symbols of the input example, and its dates beyond the history that a score needs."""


def forecaster_files(
    trained: TrainedUnit,
    features: tuple[str, ...],
    data: DataSpec,
    raw: pd.DataFrame,
    folder: Path,
    importance: Mapping[str, float] = NOTHING,
    dense: ModelInputs | None = None,
) -> ModelFiles:
    """Write the unit into ``folder`` as a model.

    Args:
        trained: The unit.
        features: Names of the panel's features.
        data: Settings of the panel.
        raw: Rows of the panel's source, including the training block; the newest ones are the
            input example.
        folder: Where to write; it must exist until the model is logged.
        importance: Importance of the features by integrated gradients; empty if not attributed.
        dense: ``raw`` as dense features, if several models share them; computed by default.
    """
    place = folder / trained.unit.key
    place.mkdir()
    served = served_of(trained, features, data)
    dense = served.inputs(raw) if dense is None else dense
    background = background_of(served, dense, trained, importance)
    dates = len(dense.dates) if background.since else background.history + EXAMPLE_DATES
    rows = example_rows(raw, data, features, dates, EXAMPLE_SYMBOLS)
    scores = served.table(served.inputs(rows))
    return ModelFiles(
        code=Path(__file__).with_name("served_model.py"),
        artifacts=write_served(trained, features, data, place, background),
        example_input=as_input(rows, data),
        example_output=scores.assign(date=scores["date"].astype(str)),
        requirements=tuple(f"{name}=={version(name).partition('+')[0]}" for name in NEEDED),
        packages=(staged_code(place),),
    )


def staged_code(place: Path) -> Path:
    """A copy of the code for scoring in ``place``, as the package ``foldproof``; its folder."""
    target = place / "code" / "foldproof"
    for file in sources(*SCORING, parents=True):
        copy = target / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    return target


def files_by_variant(
    models: Iterable[TrainedUnit],
    features: tuple[str, ...],
    data: DataSpec,
    raw: pd.DataFrame,
    folder: Path,
    importance: pd.DataFrame,
) -> dict[str, ModelFiles]:
    """The model files of one unit per variant, by variant; they share the dense features.

    Args:
        models: One unit per variant.
        features: Names of the panel's features.
        data: Settings of the panel.
        raw: Rows of the panel's source.
        folder: Where to write; it must exist until the models are logged.
        importance: Table of the attributions: variant, fold, seed, method, feature, importance.
    """
    dense, files = None, {}
    for one in models:
        dense = dense or served_of(one, features, data).inputs(raw)
        own = importance_of(importance, one)
        files[one.unit.variant] = forecaster_files(one, features, data, raw, folder, own, dense)
    return files


def importance_of(table: pd.DataFrame, one: TrainedUnit) -> dict[str, float]:
    """A unit's importance of features by integrated gradients; empty if not attributed.

    The importance of an ensemble is the mean over its networks.
    """
    unit, seeds = one.unit, [member.unit.seed for member in (one, *one.others)]
    known = (table["variant"] == unit.variant) & (table["method"] == MAIN)
    own = table[known & (table["fold"] == unit.fold.number) & table["seed"].isin(seeds)]
    mean = own.groupby("feature", sort=False)["importance"].mean()
    return {str(name): float(value) for name, value in mean.items()}
