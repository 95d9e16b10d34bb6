"""The version of the code: what is kept on disk holds for the code that made it."""

import hashlib
from functools import cache
from pathlib import Path

ROOM = ("tasks/data",)
"""Whose code decides what this room keeps."""
HOUSE = ("models", "tasks", "flows", "conf")
"""All of it."""


@cache
def code_version(rooms: tuple[str, ...]) -> str:
    """Hash of the source files of ``rooms``."""
    root = Path(__file__).resolve().parents[1]
    content = hashlib.sha256()
    for file in sorted(file for room in rooms for file in root.glob(f"{room}/**/*.py")):
        content.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return content.hexdigest()[:16]
