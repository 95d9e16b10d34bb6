"""Keep what cannot be logged, as files; send it later, once.

The functions that log write to a ``Store``. ``recording`` gives them one whose client writes its
calls to a folder: ``calls.jsonl`` with tags, metrics and parameters, ``runs/<run>`` with the
artifacts (the report page, tables), ``models/<model>`` with the models. ``send`` repeats the calls
on the real store. Runs and models have made-up ids until then; ``send`` replaces them everywhere.

Nothing is doubled: a comparison's run that is already finished in the store is not sent, an
unfinished one is replaced, and a night's values have a fixed step and time.
"""

import dataclasses
import inspect
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import mlflow.entities
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.store.entities import PagedList
from PIL import Image

from foldproof.tasks.track.process import process_tags
from foldproof.tasks.track.runs import SUMMARY, finished_runs
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import MADE_UP, Store, TrackingError, resolve_uri, shown

OUTBOX = Path(".foldproof") / "outbox"
"""Where results wait, below the working directory."""
EXPERIMENT = f"{MADE_UP}experiment"
"""Made-up id of the experiment."""
ABOUT, CALLS, RUNS, MODELS, IMAGES = "about.json", "calls.jsonl", "runs", "models", "images"
WRITES = ("log_", "set_", "create_", "delete_", "finalize_", "update_")
"""Beginnings of the methods that write."""


@dataclass(frozen=True)
class Entry:
    """Results that wait.

    Attributes:
        folder: Their files.
        key: Id of the comparison, audit, study or retraining; model, version and night else.
        uri: Address of the store, without a password.
        experiment: Name of the experiment.
        since: When they were kept, as ISO time.
        reason: Why.
        flow_run: Id of the Prefect flow run that made them, or of the process.
    """

    folder: Path
    key: str
    uri: str
    experiment: str
    since: str
    reason: str
    flow_run: str


def entries(outbox: Path = OUTBOX) -> list[Entry]:
    """Complete entries of an outbox, oldest first."""
    found = [
        Entry(file.parent, **json.loads(file.read_text(encoding="utf-8")))
        for file in outbox.glob(f"[!.]*/{ABOUT}")
    ]
    return sorted(found, key=lambda one: one.since)


def folder_name(key: str) -> str:
    """``key`` as the name of a folder."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in key)


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


def discard(key: str, outbox: Path = OUTBOX) -> None:
    """Remove what was kept under ``key``: it has been logged."""
    remove(outbox / folder_name(key))


def remove(folder: Path) -> None:
    """Remove an entry in one step: a half-removed one must not be sent."""
    if folder.exists():
        gone = folder.with_name(f".sent-{folder.name}-{uuid4().hex}")
        os.replace(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)


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
        file = self.folder / RUNS / run_id / artifact_file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

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


def target_of(entry: Entry) -> TrackingSpec:
    """Where an entry is sent: the store that it was meant for, or MLFLOW_TRACKING_URI.

    Raises:
        TrackingError: The address had a password, which is not kept.
    """
    if "***" in entry.uri and not os.environ.get("MLFLOW_TRACKING_URI"):
        raise TrackingError(
            f"{entry.folder} is for {entry.uri}, whose password is not kept: set "
            "MLFLOW_TRACKING_URI to the address"
        )
    uri = None if "***" in entry.uri else entry.uri  # then the variable names the store
    return TrackingSpec(uri=uri, experiment=entry.experiment)


def send(store: Store, entry: Entry) -> dict[str, Mapping[str, str]]:
    """Repeat the calls of an entry on the store, except on runs that are finished there.

    Returns:
        The tags of its runs by their ids in the store.
    """
    lines = (entry.folder / CALLS).read_text(encoding="utf-8").splitlines()
    delivery = Delivery(store, entry.folder)
    for line in lines:
        delivery.call(line)
    for folder in sorted((entry.folder / RUNS).glob("*")):
        delivery.upload(folder.name)
    return delivery.tags


class Delivery:
    """The calls of an entry, repeated on a store.

    Attributes:
        ids: Real id by made-up id.
        skipped: Made-up ids of runs that are finished in the store, and of their models.
        tags: Tags by the real id of a run.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.ids = {EXPERIMENT: store.experiment_id}
        self.skipped: set[str] = set()
        self.uploaded: set[str] = set()
        self.finished: dict[tuple[str, str], dict[str, str]] = {}
        self.tags: dict[str, Mapping[str, str]] = {}

    def call(self, line: str) -> None:
        """Repeat one call."""
        made, raw = json.loads(line)["made"], json.loads(line)["given"]
        own = {raw.get(name, "") for name in ("run_id", "source_run_id", "model_id")}
        if own & self.skipped:
            self.skipped |= {made} - {""}
            return
        call = json.loads(self.real(line))
        method, given = call["method"], decoded(call["given"])
        if method == "create_run":
            found = self.existing(given["tags"])
            run_id = found or self.store.client.create_run(**given).info.run_id
            self.ids[made], self.tags[run_id] = run_id, given["tags"]
            if found and "comparison" in given["tags"]:
                self.skipped.add(made)
        elif method == "create_logged_model":
            model = self.store.client.create_logged_model(**given)
            self.ids |= {made: model.model_id, f"{made}/place": model.artifact_location}
        elif method == "log_model_artifacts":
            self.upload_model(raw["model_id"])
        elif method == "log_image":
            with Image.open(self.folder / IMAGES / given.pop("image")) as image:
                self.store.client.log_image(image=image, **given)
        else:
            if method == "set_terminated":
                self.upload(raw["run_id"])
            getattr(self.store.client, method)(**given)

    def real(self, text: str) -> str:
        """``text`` with real ids in the place of made-up ones."""
        for made, real in sorted(self.ids.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(made, real)
        return text

    def existing(self, tags: Mapping[str, str]) -> str | None:
        """The run of the store with the same identity; None if it must be created."""
        if comparison := tags.get("comparison"):
            key = comparison, tags.get("missing", "")
            if key not in self.finished:
                self.finished[key] = finished_runs(self.store, *key)
            return self.finished[key].get(tags.get("variant", SUMMARY))
        same = " and ".join(
            f"tags.{name} = '{tags[name]}'" for name in ("kind", "model", "version")
        )
        found = self.store.client.search_runs([self.store.experiment_id], same, max_results=1)
        return str(found[0].info.run_id) if found else None

    def upload(self, made: str) -> None:
        """The artifacts of a run, once."""
        folder = self.folder / RUNS / made
        if made not in self.skipped | self.uploaded and folder.is_dir():
            self.store.client.log_artifacts(self.ids.get(made, made), str(folder))
            self.uploaded.add(made)

    def upload_model(self, made: str) -> None:
        """The files of a model, with its real ids in its description."""
        with TemporaryDirectory() as name:
            folder = Path(name) / "model"
            shutil.copytree(self.folder / MODELS / made, folder)
            about = folder / "MLmodel"
            about.write_text(self.real(about.read_text(encoding="utf-8")), encoding="utf-8")
            self.store.client.log_model_artifacts(self.ids[made], str(folder))
