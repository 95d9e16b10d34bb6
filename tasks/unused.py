"""Files that commands keep, and which of them nobody has used for a while."""

import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from foldproof.tasks.files import DRAFTS, last_use

NIGHT = "night of scores"
KINDS = {
    "panel": "panels/panel-*", "rows": "panels/rows-*", "result": "results/*",
    NIGHT: "scores/*/*.parquet",
}  # fmt: skip
"""What is kept, by kind, below the folder of all commands.

All of it can be made again, or is in the tracking store too. A model's newest scores stay.
"""
PLURAL = {"rows": "sets of rows", NIGHT: "nights of scores"}
DRAFT = "unfinished file"
"""What a killed process leaves."""


@dataclass(frozen=True)
class Unused:
    """A file or folder that can go.

    Attributes:
        path: Where it is.
        kind: A key of ``KINDS``, or ``DRAFT``.
        size: Bytes.
    """

    path: Path
    kind: str
    size: int


def duration(text: str) -> timedelta:
    """``30d``, ``12h`` or ``2w`` as a span of time.

    Raises:
        ValueError: It is none of these.
    """
    units = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and len(number) < 6 and unit in units):
        raise ValueError(f"{text[:50]!r} is not a span of time; write it as 12h, 30d or 2w")
    return int(number) * units[unit]


def unused(home: Path, older: timedelta, now: float | None = None) -> list[Unused]:
    """What no command has written or read for at least ``older``, the oldest first.

    Args:
        home: The folder of all commands.
        older: Time since the last use.
        now: Seconds since 1970; None for now.
    """
    limit = (time.time() if now is None else now) - older.total_seconds()
    found = [(last_use(path), kind, path) for kind, path in kept(home)]
    return [
        Unused(path, kind, size_of(path))
        for used, kind, path in sorted(found, key=lambda one: (one[0], one[2]))
        if used <= limit
    ]


def kept(home: Path) -> Iterator[tuple[str, Path]]:
    """Kind and path of everything that is kept; links are left alone."""
    for kind, pattern in KINDS.items():
        for path in home.glob(pattern):
            newest = kind == NIGHT and path == max(path.parent.glob("*.parquet"))
            if not (newest or path.is_symlink() or path.name.startswith(DRAFTS)):
                yield kind, path
    for path in home.glob(f"*/**/{DRAFTS}*"):
        if path.is_dir() and not path.is_symlink():
            yield DRAFT, path


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def remove(found: Iterable[Unused]) -> None:
    """Delete files and folders; one that is gone already is not an error.

    Raises:
        OSError: One cannot be deleted.
    """
    for one in found:
        if one.path.is_dir():
            gone = one.path.with_name(f"{DRAFTS}gone-{one.path.name}")
            one.path.rename(gone)  # in one step: nobody finds half a panel
            shutil.rmtree(gone)
        else:
            one.path.unlink(missing_ok=True)


def summary(found: Iterable[Unused]) -> str:
    """``3 panels (210.5 MB) and 40 results (4.1 MB)``; empty for nothing."""
    parts = []
    listed = list(found)
    for kind in (*KINDS, DRAFT):
        own = [one.size for one in listed if one.kind == kind]
        if own:
            name = kind if len(own) == 1 else PLURAL.get(kind, f"{kind}s")
            parts.append(f"{len(own)} {name} ({sum(own) / 1e6:.1f} MB)")
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
