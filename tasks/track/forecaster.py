"""A trained unit as a model for the tracker."""

import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.data import DataSpec
from foldproof.tasks.track.model import ModelFiles
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.model import ModelInputs, example_rows, write_served
from foldproof.tasks.train.serving.record import NOTHING, background_of, served_of
from foldproof.tasks.version import ROOT, sources

SCORING = ("foldproof.tasks.data", "foldproof.tasks.train.serving.model")
"""Modules that served_model.py imports; they and what they import travel with a model."""
NEEDED = ("torch", "numpy", "pandas", "pandera", "pydantic", "pyarrow", "safetensors")
"""What scoring imports; everything else stays out of the model's environment."""
EXAMPLE_SYMBOLS, EXAMPLE_DATES = 20, 5
"""Symbols of the input example at most, and dates beyond the history that a score needs."""


def forecaster_files(
    trained: TrainedUnit,
    features: tuple[str, ...],
    data: DataSpec,
    raw: pd.DataFrame,
    folder: Path,
    importance: Mapping[str, float] = NOTHING,
    laid: ModelInputs | None = None,
) -> ModelFiles:
    """Write the unit below ``folder`` and describe it as a model.

    Args:
        trained: The unit.
        features: Names of the panel's features.
        data: What the panel was made by.
        raw: Rows of the panel's source, the training block's among them; the newest give the
            signature.
        folder: Where to write; it must last until the model is logged.
        importance: Of the features, by integrated gradients; empty where they were not attributed.
        laid: ``raw`` laid out, where several models share it; by default it is laid out here.
    """
    place = folder / trained.unit.key
    place.mkdir()
    served = served_of(trained, features, data)
    laid = served.inputs(raw) if laid is None else laid
    background = background_of(served, laid, trained, importance)
    rows = example_rows(raw, data, features, background.history + EXAMPLE_DATES, EXAMPLE_SYMBOLS)
    scores = served.table(served.inputs(rows))
    return ModelFiles(
        code=Path(__file__).with_name("served_model.py"),
        artifacts=write_served(trained, features, data, place, background),
        example_input=rows,
        example_output=scores.assign(date=scores["date"].astype(str)),
        requirements=tuple(f"{name}=={version(name).partition('+')[0]}" for name in NEEDED),
        packages=(staged_code(place),),
    )


def staged_code(place: Path) -> Path:
    """A copy of the code that scores below ``place``, as the package ``foldproof``; its folder."""
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
    """The same for one unit a variant; the rows, which they share, are laid out once.

    Args:
        models: One unit a variant.
        features: See :func:`forecaster_files`.
        data: Likewise.
        raw: Likewise.
        folder: Likewise.
        importance: Table of the attributions: variant, fold, seed, method, feature, importance.
    """
    laid, files = None, {}
    for one in models:
        laid = laid or served_of(one, features, data).inputs(raw)
        own = importance_of(importance, one)
        files[one.unit.variant] = forecaster_files(one, features, data, raw, folder, own, laid)
    return files


def importance_of(table: pd.DataFrame, one: TrainedUnit) -> dict[str, float]:
    """A unit's importance of features by integrated gradients; empty where it has none."""
    unit = one.unit
    known = (table["variant"] == unit.variant) & (table["method"] == MAIN)
    own = table[known & (table["fold"] == unit.fold.number) & (table["seed"] == unit.seed)]
    return dict(zip(own["feature"].astype(str), own["importance"].astype(float), strict=True))
