"""A command that finished in part: its exit status is 3, and its flow run has failed."""

from collections.abc import Mapping

from foldproof.tasks.track.outbox.entries import OUTBOX, entries
from foldproof.tasks.track.outbox.task import flow_run_id


class InPartError(RuntimeError):
    """Results exist, but not all of them, or they could not be sent; the message says which."""


def require_complete(missing: Mapping[str, str]) -> None:
    """Raise InPartError if variants or references are missing; they are given with the reason."""
    if missing:
        lost = ", ".join(f"{name} ({why})" for name, why in missing.items())
        raise InPartError(f"left out: {lost}; the same command again tries only these")


def require_sent() -> None:
    """Raise InPartError if results of the running flow wait in the outbox."""
    waiting = [one for one in entries() if one.flow_run == flow_run_id()]
    if waiting:
        keys = ", ".join(one.key for one in waiting)
        raise InPartError(f"{keys} waits in {OUTBOX}: run foldproof sync")
