"""Which panel was built last with the same settings, and of how many of the rows."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = "newest"


def row_hashes(frame: pd.DataFrame) -> np.ndarray:
    """(N,) uint64: a hash of each row."""
    return pd.util.hash_pandas_object(frame, index=False).to_numpy()


def note_newest(cache: Path, line: str, panel: str, content: np.ndarray) -> None:
    """Remember in ``cache`` that ``panel`` is the newest of its line, of the rows ``content``."""
    folder = cache / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    notes = {"panel": panel, "rows": len(content), "content": digest(content)}
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as draft:
        json.dump(notes, draft)
    os.replace(draft.name, folder / f"{line}.json")


def newest(cache: Path, line: str, content: np.ndarray) -> str | None:
    """The newest panel of a line, if its rows are the first of ``content``.

    Args:
        cache: Folder of panels.
        line: What panels that can continue each other share: all that decides but the rows.
        content: (N,) hashes of the rows at hand.
    """
    try:
        notes = json.loads((cache / FOLDER / f"{line}.json").read_text(encoding="utf-8"))
        head = content[: notes["rows"]]
        return str(notes["panel"]) if digest(head) == notes["content"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest(content: np.ndarray) -> str:
    """SHA-256 of some row hashes."""
    return hashlib.sha256(np.ascontiguousarray(content).view(np.uint8).data).hexdigest()
