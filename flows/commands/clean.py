"""Free the disk of panels and results that no command has used for a while."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from foldproof.flows.paths import HOME, IN_USE
from foldproof.tasks.unused import duration, remove, summary, unused


class InUseError(RuntimeError):
    """A command is running in this folder."""


@contextmanager
def in_use() -> Iterator[None]:
    """While inside, no ``clean`` runs in this folder. Any number of commands may be inside.

    The operating system lets go when the process ends, however it ends.
    """
    import fcntl  # not on Windows, where a command says so and ends before

    HOME.mkdir(mode=0o700, exist_ok=True)  # a worker of a pool may be the first here
    with IN_USE.open("ab") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def no_command() -> Iterator[None]:
    """While inside, no command runs in this folder.

    Raises:
        InUseError: One is running.
    """
    import fcntl

    with IN_USE.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InUseError(
                f"a command is running in {os.getcwd()}; clean when it has ended"
            ) from None
        yield


def clean(older: str, dry_run: bool) -> str:
    """Remove what was not used for ``older``; returns what was, or would be, freed.

    Raises:
        ValueError: ``older`` is not a span of time.
        InUseError: A command is running in this folder.
        OSError: Something cannot be deleted.
    """
    span = duration(older)
    with no_command():
        found = unused(HOME, span)
        if not dry_run:
            remove(found)
    if not found:
        return f"nothing was unused for {older}; nothing to remove"
    return f"{'would remove' if dry_run else 'removed'} {summary(found)}, unused for {older}"
