"""One process at a time: the same comparison, study or retraining is not run twice at once."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency

from foldproof.tasks.lock import locked
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import database, lock_file, resolve_uri

LEASE = 60.0
"""Seconds after which the server takes a slot from a process that no longer renews it."""


@contextmanager
def alone(
    tracking: TrackingSpec, kind: str, key: str, say: Callable[[str], object]
) -> Iterator[None]:
    """Run the block while no other process runs the same; wait for one that does.

    The second process then finds the units and runs of the first and repeats neither. The lock is
    an operating system's: a killed process leaves none. It holds between all processes of a machine
    that use one embedded store, and between those of one working directory if the store is a
    server. Between machines, a slot of the Prefect server at the environment variable
    PREFECT_API_URL holds as well, if the store is a server; a killed process keeps that for a
    minute. Without a common Prefect server, start a comparison on one machine at a time.

    Args:
        tracking: Where the results go.
        kind: What is run, as a noun.
        key: Id of the comparison, study or retraining.
        say: Prints a line.
    """
    uri = resolve_uri(tracking)
    with ExitStack() as held:
        path = lock_file(uri, f"{kind}-{key}")
        held.enter_context(locked(path, partial(waiting, kind, say)))
        if database(uri) is None and os.environ.get("PREFECT_API_URL"):
            held.enter_context(slot(f"foldproof-{kind}-{key}", partial(waiting, kind, say)))
        yield


@contextmanager
def slot(name: str, wait: Callable[[str], object]) -> Iterator[None]:
    """Hold the only slot of a concurrency limit of the Prefect server; created if missing.

    Args:
        name: Name of the limit.
        wait: Called if another machine holds it, before waiting.
    """
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, 1)
    with ExitStack() as held:
        try:
            held.enter_context(
                concurrency(name, timeout_seconds=1, lease_duration=LEASE, strict=True)
            )
        except TimeoutError:
            wait("of another machine")
            held.enter_context(concurrency(name, lease_duration=LEASE, strict=True))
        yield


def waiting(kind: str, say: Callable[[str], object], process: str) -> None:
    """Say why nothing happens."""
    say(f"process {process} is running this {kind}; waiting")
