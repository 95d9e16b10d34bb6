"""A trained unit as a model for the tracker."""

from importlib.metadata import version
from pathlib import Path

import pandas as pd

from tasks.data import DataSpec
from tasks.track.model import ModelFiles
from tasks.train import TrainedUnit
from tasks.train.served import example_rows, read_served, write_served

ROOT = Path(__file__).resolve().parents[2]
NEEDED = (
    "torch", "numpy", "pandas", "pandera", "pydantic", "pyarrow", "safetensors",
    "scikit-learn", "skfolio",
)  # fmt: skip
"""What scoring imports; everything else stays out of the model's environment."""
EXAMPLE_DATES = 60


def forecaster_files(
    trained: TrainedUnit, features: tuple[str, ...], data: DataSpec, raw: pd.DataFrame, folder: Path
) -> ModelFiles:
    """Write the unit below ``folder`` and describe it as a model.

    Args:
        trained: The unit.
        features: Names of the panel's features.
        data: What the panel was made by.
        raw: Rows of the panel's source; the newest give the signature.
        folder: Where to write; it must last until the model is logged.
    """
    place = folder / trained.unit.key
    place.mkdir()
    artifacts = write_served(trained, features, data, place)
    rows = example_rows(raw, features, EXAMPLE_DATES)
    scores = read_served(artifacts["weights"], artifacts["notes"]).score(rows)
    return ModelFiles(
        code=Path(__file__).with_name("served_model.py"),
        artifacts=artifacts,
        example_input=rows,
        example_output=scores.assign(date=scores["date"].astype(str)),
        requirements=tuple(f"{name}=={version(name).partition('+')[0]}" for name in NEEDED),
        packages=(ROOT / "models", ROOT / "tasks"),
    )
