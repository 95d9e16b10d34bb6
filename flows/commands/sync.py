"""Send the results that wait in the outbox to their tracking store."""

from collections.abc import Mapping

from foldproof.flows.checks import USER_ERRORS
from foldproof.flows.commands.shell import fail
from foldproof.flows.screens.terminal import Terminal
from foldproof.tasks.track.model.registry import settle
from foldproof.tasks.track.outage import STORE_ERRORS, reason
from foldproof.tasks.track.outbox.delivery import send
from foldproof.tasks.track.outbox.entries import OUTBOX, Entry, discard, entries, target_of
from foldproof.tasks.track.store import (
    REGISTRY,
    Store,
    TrackingError,
    one_writer,
    open_store,
    shown,
)


def run_sync() -> None:
    """Send every entry of the outbox, oldest first; entries that were sent are removed.

    Ends with exit status 2 at the first entry that cannot be sent.
    """
    screen = Terminal()
    waiting = entries()
    if not waiting:
        screen.say(f"nothing waits in {OUTBOX}")
    try:
        for entry in waiting:
            screen.say(sync(entry))
    except USER_ERRORS as error:
        fail(error)


def sync(entry: Entry) -> str:
    """Send one entry, once even if two processes try, and say what was done.

    Raises:
        TrackingError: It cannot be sent; it stays in the outbox.
    """
    store = open_store(target_of(entry))
    with one_writer(store, entry.key):
        if not entry.folder.exists():
            return f"{entry.key} was sent by another process"
        try:
            runs = send(store, entry)
            text = f"sent {entry.key} to {shown(store.uri)}{decisions(store, runs)}"
        except STORE_ERRORS as error:
            raise TrackingError(
                f"{entry.key} was not sent and stays in {entry.folder}: {reason(error)}"
            ) from error
        discard(entry.key)
    return text


def decisions(store: Store, runs: Mapping[str, Mapping[str, str]]) -> str:
    """Apply the decisions of retrainings among ``runs``; say them."""
    text = ""
    for run_id, tags in runs.items():
        if tags.get("kind") == "retraining":
            with one_writer(store, REGISTRY):
                text += f"; {settle(store, run_id).sentence}"
    return text
