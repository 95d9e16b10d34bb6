"""The version of this room's code: what is kept on disk holds for the code that wrote it."""

import hashlib
from functools import cache as once
from pathlib import Path


@once
def code_version() -> str:
    """Hash of the source files of this room."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
