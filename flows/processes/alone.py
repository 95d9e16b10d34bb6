"""One process at a time: the same comparison, study or retraining is not run twice at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from foldproof.tasks.lock import locked
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import lock_file, resolve_uri


@contextmanager
def alone(
    tracking: TrackingSpec, kind: str, key: str, say: Callable[[str], object]
) -> Iterator[None]:
    """Run the block while no other process runs the same; wait for one that does.

    The second process then finds the units and runs of the first and repeats neither. The lock is
    an operating system's: a killed process leaves none. It holds between all processes of a machine
    that use one embedded store, and between those of one working directory if the store is a
    server. It does not hold between machines.

    Args:
        tracking: Where the results go.
        kind: What is run, as a noun.
        key: Id of the comparison, study or retraining.
        say: Prints a line.
    """
    path = lock_file(resolve_uri(tracking), f"{kind}-{key}")
    with locked(path, partial(waiting, kind, say)):
        yield


def waiting(kind: str, say: Callable[[str], object], process: str) -> None:
    """Say why nothing happens."""
    say(f"process {process} is running this {kind}; waiting")
