"""Write an entry: a client that keeps every call of MLflow's client as a line of JSON."""

import dataclasses
import inspect
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import mlflow.entities
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.store.entities import PagedList

from foldproof.tasks.track.files import write_files
from foldproof.tasks.track.outbox.entries import (
    ABOUT,
    CALLS,
    IMAGES,
    MODELS,
    OUTBOX,
    RUNS,
    Entry,
    folder_name,
    remove,
)
from foldproof.tasks.track.process import process_tags
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import MADE_UP, Store, resolve_uri, shown

EXPERIMENT = f"{MADE_UP}experiment"
"""Made-up id of the experiment."""
WRITES = ("log_", "set_", "create_", "delete_", "finalize_", "update_")
"""Beginnings of the methods that write."""


@contextmanager
def recording(
    spec: TrackingSpec, key: str, why: str, flow_run: str = "", outbox: Path = OUTBOX
) -> Iterator[Store]:
    """A store whose client keeps what is written in the outbox.

    The entry appears when the block ends, and replaces an earlier one of the same key.
    """
    outbox.mkdir(parents=True, exist_ok=True)
    place = outbox.resolve() / folder_name(key)
    draft = place.with_name(f".draft-{place.name}-{uuid4().hex}")
    uri = shown(resolve_uri(spec))
    try:
        client = Journal(draft, place)
        yield Store(client, EXPERIMENT, resolve_uri(spec), process_tags())  # type: ignore[arg-type]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        about = Entry(place, key, uri, spec.experiment, now, why, flow_run)
        notes = {name: value for name, value in vars(about).items() if name != "folder"}
        (draft / ABOUT).write_text(json.dumps(notes, indent=2), encoding="utf-8")
        remove(place)
        os.replace(draft, place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class Journal:
    """Stands in for an MLflow client: it writes to a folder, and finds nothing when asked."""

    def __init__(self, folder: Path, later: Path) -> None:
        """Start with an empty folder.

        Args:
            folder: Where to write.
            later: Where the folder will be when it is complete.
        """
        self.folder, self.later = folder, later
        self.lock = threading.Lock()
        self.tags: dict[str, dict[str, str]] = {}
        folder.mkdir(parents=True)
        (folder / CALLS).touch()

    def __getattr__(self, name: str) -> Any:
        """A method that records its call."""
        if not name.startswith(WRITES):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.record(name, args, kwargs)

    def record(
        self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], made: str = ""
    ) -> None:
        """Append a call; ``made`` is the made-up id of what it creates."""
        bound = inspect.signature(getattr(MlflowClient, method)).bind(None, *args, **kwargs)
        given = {name: encoded(value) for name, value in bound.arguments.items() if name != "self"}
        given |= given.pop("kwargs", {})
        line = json.dumps({"method": method, "made": made, "given": given})
        with self.lock, (self.folder / CALLS).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def search_runs(self, *_: Any, **__: Any) -> PagedList[Any]:
        """No run."""
        return PagedList([], None)

    search_logged_models = search_model_versions = search_runs

    def create_run(
        self, experiment_id: str, tags: Mapping[str, Any] | None = None, run_name: str = ""
    ) -> Any:
        """A run with a made-up id."""
        run_id = f"{MADE_UP}{uuid4().hex}"
        start = time.time_ns() // 1_000_000
        given = {"start_time": start, "tags": dict(tags or {}), "run_name": run_name}
        self.record("create_run", (experiment_id,), given, run_id)
        self.tags[run_id] = dict(tags or {})
        return self.get_run(run_id)

    def get_run(self, run_id: str) -> Any:
        """What is known of a run: its id, its tags, and where its artifacts will lie."""
        place = (self.later / RUNS / run_id).as_uri()
        return SimpleNamespace(
            info=SimpleNamespace(run_id=run_id, artifact_uri=place),
            data=SimpleNamespace(tags=self.tags.get(run_id, {})),
            outputs=None,
        )

    def create_logged_model(self, *args: Any, **kwargs: Any) -> Any:
        """A model with a made-up id and place."""
        model_id = f"{MADE_UP}{uuid4().hex}"
        self.record("create_logged_model", args, kwargs, model_id)
        return SimpleNamespace(model_id=model_id, artifact_location=f"{model_id}/place")

    def log_model_artifacts(self, model_id: str, local_dir: str) -> None:
        """Copy the files of a model."""
        shutil.copytree(local_dir, self.folder / MODELS / model_id, dirs_exist_ok=True)
        self.record("log_model_artifacts", (model_id, ""), {})

    def log_artifacts(self, run_id: str, local_dir: str, artifact_path: str | None = None) -> None:
        """Copy a folder to the run's files."""
        target = self.folder / RUNS / run_id / (artifact_path or "")
        shutil.copytree(local_dir, target, dirs_exist_ok=True)

    def log_artifact(self, run_id: str, local_path: str, artifact_path: str | None = None) -> None:
        """Copy a file to the run's files."""
        target = self.folder / RUNS / run_id / (artifact_path or "")
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(local_path, target)

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Write a text to the run's files."""
        write_files([(artifact_file, text)], self.folder / RUNS / run_id)

    def log_image(
        self, run_id: str, image: Any, artifact_file: str | None = None, **where: Any
    ) -> None:
        """Keep a picture."""
        file = self.folder / IMAGES / f"{uuid4().hex}.png"
        file.parent.mkdir(exist_ok=True)
        image.save(file)
        if artifact_file is None:
            where = {"timestamp": time.time_ns() // 1_000_000} | where
        self.record("log_image", (run_id, file.name, artifact_file), where)


def encoded(value: Any) -> Any:
    """``value`` as JSON: plain values, MLflow's entities, tables, and what is made of them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, pd.DataFrame):
        return {"table": {str(name): encoded(list(value[name])) for name in value}}
    if type(value).__module__.startswith("mlflow.entities"):
        fields = dict(value) if hasattr(value, "__iter__") else dataclasses.asdict(value)
        known = inspect.signature(type(value)).parameters
        own = {k: encoded(v) for k, v in fields.items() if k in known and v is not None}
        return {"entity": type(value).__name__, "fields": own}
    if isinstance(value, Mapping):
        return {str(key): encoded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(entry) for entry in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def decoded(value: Any) -> Any:
    """The inverse of :func:`encoded`."""
    if isinstance(value, list):
        return [decoded(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"entity", "fields"}:
        fields = {name: decoded(entry) for name, entry in value["fields"].items()}
        return getattr(mlflow.entities, value["entity"])(**fields)
    if value.keys() == {"table"}:
        return pd.DataFrame(value["table"]).astype(object)
    return {key: decoded(entry) for key, entry in value.items()}
