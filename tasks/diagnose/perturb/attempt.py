"""Runs of code under test on changed data: what works, what fails, and why."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.random import Generator

from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.perturb.compare import T, day
from foldproof.tasks.diagnose.perturb.perturbations import PERTURBATIONS
from foldproof.tasks.diagnose.perturb.rows import KEYS, schedule

D = TypeVar("D")

Transform = Callable[[pd.DataFrame], pd.DataFrame]
"""Long rows -> features on the same rows."""
Change = tuple[Any, str, Sequence[int]]
"""A cut, the key of a perturbation and the seed of its noise."""


def attempt(call: Callable[[], T]) -> tuple[T | None, str]:
    """The result of ``call`` and no reason, or None and why it failed; warnings are ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(), ""
        # the code under test may raise anything: the finding is then UNKNOWN
        except Exception as error:
            return None, f"{type(error).__name__}: {error}"


@dataclass
class Attempt:
    """Runs on changed data.

    Attributes:
        cuts: (K,) dates after which data change, ascending.
        worked: Runs that worked, by perturbation.
        failed: Why a run failed, by perturbation.
    """

    cuts: np.ndarray
    worked: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        runs = [f"{PERTURBATIONS[name].title} x{n}" for name, n in self.worked.items()]
        failures = [
            f"failed with {PERTURBATIONS[name].title}: {reason}"
            for name, reason in self.failed.items()
        ]
        span = f" from {day(self.cuts[0])} to {day(self.cuts[-1])}" if len(self.cuts) else ""
        tried = [f"{len(self.cuts)} cuts{span}", ", ".join(runs) or "nothing ran", *failures]
        return "; ".join(tried)

    def unknown(self, without_truncation: bool = False) -> str:
        """Why results that did not move are not clean; empty where they are.

        Runs with missing values alone show little, and a model may refuse them. A transform that
        fails without later rows is not tested; a forecaster of a whole block may need them.
        """
        if not set(self.worked) - {"missing"}:
            return f"it fails on changed data: {next(iter(self.failed.values()), 'nothing ran')}"
        if "truncate" in self.failed and not (self.worked["truncate"] or without_truncation):
            return f"it fails when later rows are removed: {self.failed['truncate']}"
        return ""


def changes_of(cuts: Sequence[Any], names: tuple[str, ...], each: int, seed: int) -> list[Change]:
    """The changes to try after each of ``cuts``, see :func:`schedule`."""
    order = list(PERTURBATIONS)
    return [
        (cuts[place], name, (seed, place, order.index(name)))
        for place, name in schedule(len(cuts), names, each)
    ]


def after_cuts(
    function: Callable[[D], T],
    change: Callable[[Any, str, Generator], D],
    changes: Iterable[Change],
    attempts: Attempt,
) -> Iterator[tuple[Any, T]]:
    """Run ``function`` on data that change after a cut, change by change.

    Args:
        function: The code under test.
        change: Cut, perturbation and generator -> changed data.
        changes: What to try.
        attempts: Counts the runs that work and keeps why others fail.

    Yields:
        The cut and the result of each run that works.
    """
    for cut, name, seed in changes:
        result, reason = attempt(partial(function, change(cut, name, np.random.default_rng(seed))))
        if result is None:
            attempts.failed.setdefault(name, reason)
        else:
            attempts.worked[name] += 1
            yield cut, result


def checked_data(data: pd.DataFrame, cuts: int, known_at: Mapping[str, str]) -> None:
    """Raise ValueError unless ``data`` is a long table that can be cut."""
    needed = [*KEYS, *known_at, *known_at.values()]
    missing = [name for name in needed if name not in data]
    if missing:
        raise ValueError(
            f"data needs the columns {', '.join(needed)}; {', '.join(missing)} is missing"
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
        ValueError: The result is not a table, or has rows that are not in ``data``.
    """
    out = transform(data.copy())
    if not isinstance(out, pd.DataFrame):
        raise ValueError(f"transform must return a DataFrame; it returned {type(out).__name__}")
    if out.index.equals(data.index) and out.columns.is_unique:
        return out.drop(columns=[name for name in KEYS if name in out])
    strange = ~out.index.isin(data.index)
    if strange.any() or not out.index.is_unique or not out.columns.is_unique:
        raise ValueError(
            "transform must return features on the rows (index) of its input, without duplicate "
            f"rows or columns; {int(strange.sum())} of {len(out)} rows are not in the input"
        )
    out = out.drop(columns=[name for name in KEYS if name in out])
    return out.reindex(data.index) if len(out) < len(data) else out.loc[data.index]


def findings_or_unknown(test: str, stage: str, call: Callable[[], list[Finding]]) -> list[Finding]:
    """The findings of ``call``; where it fails, UNKNOWN with the reason, which informs only."""
    found, reason = attempt(call)
    return found if found is not None else [unknown_finding(test, stage, reason, "", counts=False)]
