"""Entries of the outbox: results that wait, each a folder of files."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import TrackingError

OUTBOX = Path(".foldproof") / "outbox"
"""Where results wait, below the working directory."""
ABOUT, CALLS, RUNS, MODELS, IMAGES = "about.json", "calls.jsonl", "runs", "models", "images"
"""Files and folders of an entry."""


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


def discard(key: str, outbox: Path = OUTBOX) -> None:
    """Remove what was kept under ``key``: it has been logged."""
    remove(outbox / folder_name(key))


def remove(folder: Path) -> None:
    """Remove an entry in one step: a half-removed one must not be sent."""
    if folder.exists():
        gone = folder.with_name(f".sent-{folder.name}-{uuid4().hex}")
        os.replace(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)


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
