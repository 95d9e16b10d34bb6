"""Send an entry: its calls, repeated on the tracking store."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from foldproof.tasks.track.outbox.entries import CALLS, IMAGES, MODELS, RUNS, Entry
from foldproof.tasks.track.outbox.journal import EXPERIMENT, decoded
from foldproof.tasks.track.runs import SUMMARY, finished_runs
from foldproof.tasks.track.store import Store, in_quotes, runs_in


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
            f"tags.{name} = {in_quotes(tags[name])}" for name in ("kind", "model", "version")
        )
        found = next(runs_in(self.store, same, page=1), None)
        return str(found.info.run_id) if found else None

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
