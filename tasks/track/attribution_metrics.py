"""Metrics of a variant's attribution that can be compared between runs."""

import math
from collections.abc import Iterator

import pandas as pd

from foldproof.tasks.attribute import Attribution
from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.attribute.origins.origins import origin_shares
from foldproof.tasks.report.attribution.shares import failed_checks, importance_shares
from foldproof.tasks.report.results import is_true
from foldproof.tasks.track.entries import Value

DRIFT = {"moved": "drift", "mark": "drift.mark", "p": "drift.p", "tau": "drift.tau"}
"""Metric of each column of the drift table."""


def attribution_values(attribution: Attribution, name: str) -> Iterator[Value]:
    """Every metric of the attribution of one variant."""
    newest = attribution.newest

    def own(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["variant"] == name]

    yield from _importance(own(attribution.importance))
    yield from _completeness(own(attribution.gap))
    yield from _origins(own(newest.origins), own(newest.supplied))
    yield from _baselines(own(newest.baselines))
    yield from _checks(own(newest.checks))
    yield from _drift(own(newest.drift))


def _importance(table: pd.DataFrame) -> Iterator[Value]:
    """Each feature's net share by integrated gradients.

    Other methods are in the run's tables, because a chart per feature and method would be too many.
    """
    own = table[table["method"] == MAIN]
    for feature, percent in importance_shares(own, "variant").sum().items():
        yield f"importance_ig/{feature}", percent / 100, 0


def _completeness(table: pd.DataFrame) -> Iterator[Value]:
    """The largest completeness error over the seeds of a fold; the step is the fold."""
    for fold, widest in table.groupby("fold")[["gap_p99", "unresolved"]].max().iterrows():
        for column, value in widest.items():
            yield f"attribution/{column}", float(value), int(str(fold))


def _origins(origins: pd.DataFrame, supplied: pd.DataFrame) -> Iterator[Value]:
    """Share of each origin of rows, and the largest completeness error to supplied features."""
    if supplied.empty:
        return
    for origin, share in origin_shares(origins).items():
        yield f"origin/{str(origin).replace(' ', '_')}", float(share), 0
    yield "origin/gap_max", float(supplied["gap"].abs().max()), 0


def _baselines(table: pd.DataFrame) -> Iterator[Value]:
    """Kendall's tau between the feature rankings of two baselines."""
    others = table[table["baseline"] != table["against"]].dropna(subset="tau")
    for baseline, tau in zip(others["baseline"], others["tau"], strict=True):
        yield f"attribution/tau.{baseline}", float(tau), 0


def _checks(table: pd.DataFrame) -> Iterator[Value]:
    """Every check of the attribution with its threshold, and how many fail."""
    for name, value, mark in zip(table["check"], table["value"], table["mark"], strict=True):
        for key, number in ((name, value), (f"{name}.mark", mark)):
            if math.isfinite(number):
                yield f"trust/{key}", float(number), 0
    if len(table):
        yield "trust/failed", float(len(failed_checks(table))), 0


def _drift(table: pd.DataFrame) -> Iterator[Value]:
    """Share of the importance that moved, limit of chance, p, tau; the step is the later fold."""
    for column, key in DRIFT.items():
        for fold, value in zip(table["fold"], table[column], strict=True):
            yield f"trust/{key}", float(value), int(fold)
    if len(table):
        yield "trust/drift.alerts", float(sum(map(is_true, table["alert"]))), 0
