"""Faults of the machine, found in an error or its causes."""

import errno
from collections.abc import Iterator

FULL = (
    "disk is full", "No space left on device", "Disk quota exceeded", "disk I/O error",
    "File too large",
)  # fmt: skip
"""Texts of a full disk; SQLite's errors carry no number."""
FULL_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def disk_full(error: BaseException) -> bool:
    """Whether the error, or a cause of it, is a full disk: the same work would fail again."""
    return any(
        (isinstance(one, OSError) and one.errno in FULL_CODES)
        or any(text in str(one) for text in FULL)
        for one in chain(error)
    )


def server_lost(error: BaseException) -> str:
    """How the Prefect server failed to answer; empty if the error is another one."""
    for one in chain(error):
        kind = type(one)
        if kind.__module__.startswith("httpx") or kind.__name__ == "PrefectHTTPStatusError":
            return str(one).strip() or kind.__name__
    return ""
