"""Metrics, parameters and tags as MLflow accepts them: finite, and within its limits."""

import math
import re
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
    """A name with characters that MLflow rejects replaced by ``_``; ``/`` makes UI sections."""
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)[: LONGEST["key"]]


def metrics(values: Iterable[Value], timestamp: int) -> list[Metric]:
    """The finite values: MLflow accepts NaN without an error and draws it as a number."""
    return [
        Metric(key_of(name), float(value), timestamp, step)
        for name, value, step in values
        if math.isfinite(value)
    ]


def params(values: Mapping[str, Any]) -> list[Param]:
    """Parameters, cut to MLflow's length."""
    return [Param(key_of(k), str(v)[: LONGEST["param"]]) for k, v in values.items()]


def tags(values: Mapping[str, Any]) -> list[RunTag]:
    """Tags, cut to MLflow's length."""
    return [RunTag(key_of(k), str(v)[: LONGEST["tag"]]) for k, v in values.items()]


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
    return [(f"seconds/{step}", float(time), 0) for step, time in spent.items()]
