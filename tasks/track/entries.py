"""Metrics, parameters and tags as MLflow accepts them: finite, and within its limits."""

import hashlib
import math
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mlflow.entities import Metric, Param, RunTag

Value = tuple[str, float, int]
"""A metric's name, value and step."""
NOTE = "mlflow.note.content"
"""The tag that the UI shows as a run's description, as Markdown."""
LONGEST = {"key": 250, "param": 6000, "tag": 8000}
"""Characters that MLflow accepts."""


def key_of(name: str) -> str:
    """``name`` as a key that MLflow accepts: letters of any script; ``/`` makes UI sections.

    Other characters become ``_``, and so do the empty and dotted parts of a path (``a//b``,
    ``../y``), which MLflow refuses.
    """
    key = clean(re.sub(r"[^\w\-. /]", "_", name))[: LONGEST["key"]]
    return clean(key[:-1] + "_" if key.endswith("/") else key)  # the cut may end a path badly


def clean(path: str) -> str:
    """``path`` with ``_`` for its empty parts and for the dots of parts of dots only."""
    parts = path.split("/")
    return "/".join(part if part.strip(".") else "_" * max(len(part), 1) for part in parts)


def keys_of(names: Iterable[str]) -> dict[str, str]:
    """The key of each name. Names that would share a key get a hash of the name as a suffix.

    Which suffix a name gets depends on nothing else, so runs with the same names compare.
    """
    keys = {name: key_of(name) for name in names}
    uses = Counter(keys.values())
    return {
        name: key if uses[key] == 1 or key == name else marked(name) for name, key in keys.items()
    }


def marked(name: str) -> str:
    """The key of a name whose plain key another name has."""
    return f"{key_of(name)[: LONGEST['key'] - 9]}_{mark(name)}"


def value_of(entries: Mapping[str, str], name: str) -> str:
    """The value logged under ``name``, whatever key it got from :func:`keys_of`; empty if none."""
    return entries.get(marked(name), entries.get(key_of(name), ""))


def mark(name: str) -> str:
    """Eight characters that identify ``name``."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def metrics(values: Iterable[Value], timestamp: int | None = None) -> list[Metric]:
    """The finite values: MLflow accepts NaN without an error and draws it as a number.

    The timestamp is in milliseconds since 1970, by default now.
    """
    now = time.time_ns() // 1_000_000 if timestamp is None else timestamp
    finite = [entry for entry in values if math.isfinite(entry[1])]
    keys = keys_of(name for name, _, _ in finite)
    return [Metric(keys[name], float(value), now, step) for name, value, step in finite]


def params(values: Mapping[str, Any]) -> list[Param]:
    """Parameters, cut to MLflow's length."""
    keys = keys_of(values)
    return [Param(keys[k], str(v)[: LONGEST["param"]]) for k, v in values.items()]


def tags(values: Mapping[str, Any]) -> list[RunTag]:
    """Tags, cut to MLflow's length."""
    keys = keys_of(values)
    return [RunTag(keys[k], str(v)[: LONGEST["tag"]]) for k, v in values.items()]


def flat(
    config: Mapping[str, Any], *, without: tuple[str, ...] = (), prefix: str = ""
) -> dict[str, str]:
    """Nested settings under dotted names, lists as text; ``without`` some top-level keys."""
    found: dict[str, str] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if key in without:
            continue
        if isinstance(value, Mapping):
            found |= flat(value, prefix=f"{name}.")
        elif isinstance(value, list | tuple):
            found[name] = ", ".join(str(entry) for entry in value)
        else:
            found[name] = str(value)
    return found


def seconds(spent: Mapping[str, float]) -> Iterable[Value]:
    """Wall time by step."""
    return [(f"seconds/{step}", float(used), 0) for step, used in spent.items()]
