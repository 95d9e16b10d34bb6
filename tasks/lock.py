"""Locks between processes; the operating system releases one when its process ends, however."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

POLL = 0.2
"""Seconds between two attempts."""
FOREVER = 1e9
"""Seconds to wait for a lock."""

Wait = Callable[[str], object]
"""Called once, with the id of the process that holds the lock, before waiting for it."""


class HeldError(RuntimeError):
    """Another process holds the lock.

    Attributes:
        process: Its id.
    """

    def __init__(self, path: Path, process: str) -> None:
        super().__init__(f"{path} is locked by process {process}")
        self.process = process


@contextmanager
def locked(path: Path, wait: Wait | None = None) -> Iterator[None]:
    """Hold the lock ``path`` until the block or this process ends.

    The lock is on the open file, not on its existence, so a file left by a killed process locks
    nothing. It works between processes of one machine, and between threads; the same thread must
    not take it twice.

    Args:
        path: The file, which is created and stays.
        wait: Called if the lock is held, before waiting for it; without it the call does not wait.

    Raises:
        HeldError: The lock is held, and ``wait`` is None.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, note = FileLock(path, thread_local=False), path.with_name(f"{path.name}.pid")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if wait is None:
            raise HeldError(path, holder(note)) from None
        wait(holder(note))
        lock.acquire(FOREVER, POLL)  # not -1: a lock may be released by another thread
    try:
        with suppress(OSError):  # the note is for messages only: on a full disk it stays empty
            note.write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        lock.release()


def holder(note: Path) -> str:
    """The process id in ``note``; ``unknown`` in the instant before it is written."""
    with suppress(OSError):
        return note.read_text(encoding="ascii") or "unknown"
    return "unknown"
