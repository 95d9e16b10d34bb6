"""The panel as MLflow's data set: an input of the runs that used it."""

import json
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag


def panel_dataset(fingerprint: str, source: str, shape: Mapping[str, Any]) -> Dataset:
    """The data set of a panel, identified by the hash of all its content.

    MLflow's own digest of a frame reads its first 10,000 rows only.

    Args:
        fingerprint: SHA-256 of the panel.
        source: Key of its source.
        shape: Facts for the reader, such as the number of dates.
    """
    return Dataset(
        name="panel",
        digest=fingerprint[:36],
        source_type="foldproof",
        source=json.dumps({"source": source, "sha256": fingerprint}),
        profile=json.dumps(shape, default=str),
    )


def as_input(panel: Dataset) -> DatasetInput:
    """The panel as an input of a run, with the purpose that the UI shows."""
    return DatasetInput(panel, [InputTag("mlflow.data.context", "training and test")])
