"""Errors whose cause is the machine: a full disk, a server that is lost, a wrong setting."""

import errno
import os
from collections.abc import Iterator
from typing import Any

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


def wrong_setting(error: BaseException) -> str:
    """Prefect's settings with unusable values, and why; empty if the error is another one.

    Prefect reads its environment variables, profile and ``prefect.toml`` when it is imported, and
    raises one ValidationError of pydantic for all wrong values of a section.
    """
    for one in chain(error):
        section = str(getattr(one, "title", ""))
        if type(one).__name__ == "ValidationError" and section.endswith("Settings"):
            found: list[dict[str, Any]] = one.errors()  # type: ignore[attr-defined]
            said = [each for each in found if each["type"] != "default_factory_not_called"]
            return "; ".join(f"{setting(each)}: {each['msg']}" for each in said)
    return ""


def setting(wrong: dict[str, Any]) -> str:
    """The environment variable that holds a wrong value of Prefect, else the setting's name."""
    name, value = ".".join(map(str, wrong["loc"])), str(wrong["input"])
    for variable, given in os.environ.items():
        ours = variable.startswith("PREFECT_") and variable.endswith(f"_{name.upper()}")
        if ours and given.casefold() == value.casefold():
            return f"the environment variable {variable} is {given[:100]!r}"
    return f"the setting {name or 'of a profile'} of Prefect is {value[:100]!r}"
