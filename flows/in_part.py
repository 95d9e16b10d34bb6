"""A command that finished in part: its exit status is 3, and its flow run has failed."""

from foldproof.tasks.track.outbox import OUTBOX, entries
from foldproof.tasks.track.task import flow_run_id


class InPartError(RuntimeError):
    """Results exist, but not all of them, or they could not be sent; the message says which."""


def require_sent() -> None:
    """Raise InPartError if results of the running flow wait in the outbox."""
    waiting = [one for one in entries() if one.flow_run == flow_run_id()]
    if waiting:
        keys = ", ".join(one.key for one in waiting)
        raise InPartError(f"{keys} waits in {OUTBOX}: run foldproof sync")
