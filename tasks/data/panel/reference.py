"""A panel by reference, for machines that do not share a folder."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from foldproof.tasks.data.panel.panel import NOTES, kept
from foldproof.tasks.data.rows import DataError
from foldproof.tasks.files import draft_of, publish
from foldproof.tasks.lock import locked
from foldproof.tasks.storage import get, present, put

PANELS = "panels"
"""Folder of a storage."""
LOCK = "fetching"
"""Lock in a cache of panels: one process of a machine fetches a panel, the others wait."""


@dataclass(frozen=True)
class PanelRef:
    """Which panel, and from where.

    Attributes:
        key: Name of the panel's folder in any cache.
        fingerprint: SHA-256 of the panel's content and settings.
        files: Name and SHA-256 of each of its files.
        storage: Folder or address that every machine reaches; None if they share ``folder``.
        folder: The panel's folder where it was built.
    """

    key: str
    fingerprint: str
    files: tuple[tuple[str, str], ...]
    storage: str | None
    folder: str

    @property
    def place(self) -> str:
        """The panel's folder below the storage: the same name means the same bytes."""
        content = hashlib.sha256(repr(self.files).encode()).hexdigest()[:12]
        return f"{PANELS}/{self.key}-{content}"


def is_panel(folder: Path) -> bool:
    """Whether a folder is that of a panel."""
    return (folder / NOTES).is_file()


def stored(folder: Path, storage: str | None) -> PanelRef:
    """A reference to the panel in ``folder``, after its files are in the storage.

    Args:
        folder: The panel.
        storage: Where other machines find it; None if they share ``folder``.

    Raises:
        DataError: The folder does not contain a complete panel.
        StorageError: The storage cannot be used.
    """
    panel = kept(folder)
    if panel is None:
        raise DataError(f"{folder}: not a complete panel; delete the folder and build it again")
    names = sorted(file.name for file in folder.iterdir() if file.name != NOTES)
    files = tuple((name, sum_of(folder / name)) for name in (*names, NOTES))  # the notes last
    ref = PanelRef(folder.name, panel.fingerprint, files, storage, str(folder))
    if storage is not None and not present(storage, f"{ref.place}/{NOTES}"):
        for name, _ in files:
            put(folder / name, storage, f"{ref.place}/{name}")
    return ref


def fetched(ref: PanelRef, cache: Path) -> Path:
    """The folder of the panel on this machine: in ``cache``, or fetched to it from the storage.

    Raises:
        DataError: The panel is not there, or its files are not those that were stored.
        StorageError: The storage cannot be used.
    """
    for folder in (cache / ref.key, Path(ref.folder)):
        if holds(folder, ref) and (ref.storage is None or folder.parent == cache):
            return folder
    if ref.storage is None:
        raise DataError(
            f"{ref.folder}: this panel is on another machine; set compute.storage to a folder or "
            "an address that every machine reaches"
        )
    with locked(cache / LOCK, lambda _: None):
        if not holds(cache / ref.key, ref):
            fetch(ref, ref.storage, cache / ref.key)
    return cache / ref.key


def holds(folder: Path, ref: PanelRef) -> bool:
    """Whether a folder holds the panel."""
    panel = kept(folder)
    return panel is not None and panel.fingerprint == ref.fingerprint


def fetch(ref: PanelRef, storage: str, folder: Path) -> None:
    """Copy the panel from the storage to ``folder``, whole or not at all.

    Raises:
        DataError: A file is not the one that was stored.
    """
    with draft_of(folder) as draft:
        draft.mkdir()
        for name, known in ref.files:
            if Path(name).name != name:
                raise DataError(f"{name!r} is not a name of a file of a panel")
            get(storage, f"{ref.place}/{name}", draft / name)
            if sum_of(draft / name) != known:
                raise DataError(
                    f"{storage}/{ref.place}/{name} has changed since it was stored: delete "
                    f"{ref.place} there and run the command again"
                )
        if folder.exists():  # another or half a panel under this name
            shutil.rmtree(folder)
        publish(draft, folder)


def sum_of(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
