"""Files and folders that appear whole or not at all, even after a loss of power."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DRAFTS = ".draft-"
"""Beginning of the names of folders with unfinished files; a killed process leaves them."""


@contextmanager
def draft_of(place: Path) -> Iterator[Path]:
    """A path to write before :func:`publish` moves it to ``place``, on the same disk.

    Whatever is not published is deleted after the block.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=DRAFTS, dir=place.parent) as folder:
        yield Path(folder) / "draft"


def publish(draft: Path, place: Path) -> None:
    """Move a finished file or folder to ``place`` in one step, after its content is on the disk.

    Raises:
        OSError: The disk is full, or ``place`` is a folder that is not empty.
    """
    for path in [*draft.rglob("*"), draft] if draft.is_dir() else [draft]:
        flush(path)
    os.replace(draft, place)
    flush(place.parent)


def flush(path: Path) -> None:
    """Wait until a file or the entries of a folder are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mark_used(path: Path) -> None:
    """Note that ``path`` was used now, as its time of access; content and its time stay."""
    with suppress(OSError):  # someone else's file, or a disk that is read only
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def last_use(path: Path) -> float:
    """Seconds since 1970 at which a file, or any file of a folder, was last written or used.

    When a folder was read says nothing, because looking for old folders reads them.
    """
    times = [one.lstat() for one in (path.iterdir() if path.is_dir() else [path])]
    return max([path.lstat().st_mtime, *(max(one.st_atime, one.st_mtime) for one in times)])
