"""A model in MLflow: code, weights and signature as files, without pickle."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
from mlflow import pyfunc
from mlflow.entities import Dataset, LoggedModelOutput, Metric
from mlflow.models import Model, infer_signature

from foldproof.tasks.track.entries import Value, key_of, metrics, params, tags
from foldproof.tasks.track.store import Store

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class ModelFiles:
    """The parts of a model.

    Attributes:
        code: A Python file that ends in ``mlflow.models.set_model(...)``.
        artifacts: Files that the code reads, by name.
        example_input: A few input rows; they define the signature.
        example_output: The scores for them.
        requirements: Pinned packages. They are stated, because inferring them takes MLflow a
            quarter of a minute per model.
        packages: Folders of source code stored with the model.
    """

    code: Path
    artifacts: Mapping[str, Path]
    example_input: pd.DataFrame
    example_output: pd.DataFrame
    requirements: tuple[str, ...]
    packages: tuple[Path, ...] = ()


def log_model(
    store: Store,
    run_id: str,
    name: str,
    files: ModelFiles,
    model_tags: Mapping[str, Any] = NOTHING,
    settings: Mapping[str, Any] = NOTHING,
) -> str:
    """Log a model under a run and return its id; ``models:/<id>`` loads it.

    MLflow's own ``log_model`` uses the process's active run and global address, so the model is
    saved to a folder and uploaded with the client. Models are logged one after the other: nearly
    all of the time is Python's own work, which threads would share, not speed up.

    Args:
        store: Where to log.
        run_id: The run.
        name: Name of the model; characters that MLflow refuses are replaced.
        files: Its parts.
        model_tags: Tags of the model; its page and ``search_logged_models`` show them.
        settings: Parameters of the model.
    """
    logged = store.client.create_logged_model(
        store.experiment_id,
        name=key_of(name).replace(".", "_"),
        source_run_id=run_id,
        tags={tag.key: tag.value for tag in tags(model_tags)},
        params={param.key: param.value for param in params(settings)},
        model_type="forecaster",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        pyfunc.save_model(
            path,
            python_model=str(files.code),
            artifacts={key: str(file) for key, file in files.artifacts.items()},
            signature=infer_signature(files.example_input, files.example_output),
            input_example=files.example_input,
            pip_requirements=list(files.requirements),
            code_paths=[str(package) for package in files.packages] or None,
            mlflow_model=Model(
                artifact_path=logged.artifact_location,
                run_id=run_id,
                model_id=logged.model_id,
                model_uuid=logged.model_id,
            ),
        )
        store.client.log_model_artifacts(logged.model_id, str(path))
    store.client.finalize_logged_model(logged.model_id, "READY")
    store.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return logged.model_id


def log_measured(
    store: Store, run_id: str, values: Iterable[Value], model_id: str | None, data: Dataset
) -> None:
    """Log values to a run as those of its model on a data set; they are the run's too."""
    points = [
        Metric(
            one.key, one.value, one.timestamp, one.step,
            model_id=model_id, dataset_name=data.name, dataset_digest=data.digest,
        )
        for one in metrics(values)
    ]  # fmt: skip
    store.client.log_batch(run_id, metrics=points)
