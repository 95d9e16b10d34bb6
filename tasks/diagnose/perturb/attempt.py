"""."""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.perturb.compare import (
    T,
    day,
)
from foldproof.tasks.diagnose.perturb.rows import (
    KEYS,
    PERTURBATIONS,
)


def attempt(call: Callable[[], T]) -> tuple[T | None, str]:
    """What ``call`` returns, or why it failed. Its warnings on changed data say nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(), ""
        # the audited function is anybody's and may raise anything: that is an answer, UNKNOWN
        except Exception as error:
            return None, f"{type(error).__name__}: {error}"


Transform = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass
class Attempt:
    """What was run: counts of what worked, reasons of what did not."""

    cuts: np.ndarray
    worked: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        runs = ", ".join(f"{PERTURBATIONS[name].title} x{n}" for name, n in self.worked.items())
        failures = "".join(
            f"; failed with {PERTURBATIONS[name].title}: {reason}"
            for name, reason in self.failed.items()
        )
        return (
            f"{len(self.cuts)} cuts from {day(self.cuts[0])} to {day(self.cuts[-1])}; "
            f"{runs or 'nothing ran'}{failures}"
        )

    def unknown(self, without_truncation: bool = False) -> str:
        """Why what did not move cannot be called clean, or nothing.

        Blanks alone do not show much, and a model may well refuse them. A transform that cannot do
        without later rows is not tested; a forecaster of a whole block may be unable to.
        """
        if not set(self.worked) - {"missing"}:
            return f"it fails on changed data: {next(iter(self.failed.values()), 'nothing ran')}"
        if "truncate" in self.failed and not (self.worked["truncate"] or without_truncation):
            return f"it fails when later rows are removed: {self.failed['truncate']}"
        return ""


def checked_data(data: pd.DataFrame, cuts: int, known_at: Mapping[str, str]) -> None:
    """Raise ValueError unless ``data`` is a long table that can be cut."""
    missing = [name for name in (*KEYS, *known_at, *known_at.values()) if name not in data]
    if missing:
        raise ValueError(
            f"data needs the columns {', '.join([*KEYS, *known_at, *known_at.values()])}; "
            f"{', '.join(missing)} is missing"
        )
    if data["date"].dtype.kind != "M" or data["date"].isna().any():
        raise ValueError(f"data['date'] must hold dates without gaps; it is {data['date'].dtype}")
    if not data.index.is_unique:
        raise ValueError("data's index must be unique: call data.reset_index(drop=True)")
    if data["date"].nunique() < 2 or cuts < 1:
        raise ValueError(
            f"at least 2 dates and 1 cut are needed; there are {data['date'].nunique()} dates and "
            f"{cuts} cuts"
        )


def run(transform: Transform, data: pd.DataFrame) -> pd.DataFrame:
    """Features of a copy of ``data``, without the key columns.

    Raises:
        ValueError: Not a table, or rows that were not given.
    """
    out = transform(data.copy())
    if not isinstance(out, pd.DataFrame):
        raise ValueError(f"transform must return a DataFrame; it returned {type(out).__name__}")
    strange = ~out.index.isin(data.index)
    if strange.any() or not out.index.is_unique or not out.columns.is_unique:
        raise ValueError(
            f"transform must return features on the rows (index) that it was given, each once; "
            f"{int(strange.sum())} of {len(out)} rows are strange"
        )
    out = out.drop(columns=[name for name in KEYS if name in out])
    return out.reindex(data.index) if len(out) < len(data) else out.loc[data.index]


def tried(test: str, stage: str, call: Callable[[], list[Finding]]) -> list[Finding]:
    """What ``call`` finds, or that it could not be run, and why: never a traceback."""
    found, reason = attempt(call)
    return found if found is not None else [unknown_finding(test, stage, reason, "", counts=False)]
