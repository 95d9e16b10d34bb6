"""The panel that was built last with the same settings, and the rows it was built from."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from foldproof.tasks.data.incremental.store import write_json
from foldproof.tasks.data.panel.layout import fingerprint

FOLDER = "newest"


def row_hashes(frame: pd.DataFrame) -> np.ndarray:
    """(N,) uint64: a hash of each row."""
    return pd.util.hash_pandas_object(frame, index=False).to_numpy()


def note_newest(cache: Path, settings: str, panel: str, content: np.ndarray) -> None:
    """Note in ``cache`` that ``panel``, made from rows with hashes ``content``, is the newest."""
    (cache / FOLDER).mkdir(parents=True, exist_ok=True)
    notes = {"panel": panel, "rows": len(content), "content": fingerprint("", [content])}
    write_json(notes, cache / FOLDER / f"{settings}.json")


def newest(cache: Path, settings: str, content: np.ndarray) -> str | None:
    """The newest panel with the same settings, if it was made from the first rows of ``content``.

    Args:
        cache: Folder of panels.
        settings: Hash of everything that decides a panel except the rows.
        content: (N,) hashes of the current rows.
    """
    try:
        notes = json.loads((cache / FOLDER / f"{settings}.json").read_text(encoding="utf-8"))
        head = content[: notes["rows"]]
        return str(notes["panel"]) if fingerprint("", [head]) == notes["content"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
