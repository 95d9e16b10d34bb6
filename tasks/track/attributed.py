"""What is logged of a variant's attribution: the numbers that compare; the rest is in tables."""

import math
from collections.abc import Iterator

import pandas as pd

from foldproof.tasks.attribute import Attribution
from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.attribute.origins.origins import origin_shares
from foldproof.tasks.report.attribution.shares import failed_checks, importance_shares
from foldproof.tasks.report.results import is_true

Value = tuple[str, float, int]
"""A metric's name, value and step."""


def attribution_values(attribution: Attribution, name: str) -> Iterator[Value]:
    """Every number of the attribution of one variant."""
    newest = attribution.newest
    tables = {
        "importance": attribution.importance,
        "gap": attribution.gap,
        "origins": newest.origins,
        "supplied": newest.supplied,
        "baselines": newest.baselines,
        "checks": newest.checks,
        "drift": newest.drift,
    }
    own = {key: table[table["variant"] == name] for key, table in tables.items()}
    yield from _importance(own["importance"])
    yield from _completeness(own["gap"])
    yield from _origins(own["origins"], own["supplied"])
    yield from _baselines(own["baselines"])
    yield from _checks(own["checks"])
    yield from _drift(own["drift"])


def _importance(table: pd.DataFrame) -> Iterator[Value]:
    """Each feature's net share by integrated gradients, so that variants compare.

    Gross and the other methods are in the run's tables: a chart for each feature and method would
    bury the rest.
    """
    own = table[table["method"] == MAIN]
    for feature, percent in importance_shares(own, "variant").sum().items():
        yield f"importance_ig/{feature}", percent / 100, 0


def _completeness(table: pd.DataFrame) -> Iterator[Value]:
    """Step is the fold: the widest completeness error over its seeds."""
    for fold, widest in table.groupby("fold")[["gap_p99", "unresolved"]].max().iterrows():
        for column, value in widest.items():
            yield f"attribution/{column}", float(value), int(str(fold))


def _origins(origins: pd.DataFrame, supplied: pd.DataFrame) -> Iterator[Value]:
    """What forecasts rest on, and the widest completeness error on the way to supplied features."""
    if supplied.empty:
        return
    for origin, share in origin_shares(origins).items():
        yield f"origin/{str(origin).replace(' ', '_')}", float(share), 0
    yield "origin/gap_max", float(supplied["gap"].abs().max()), 0


def _baselines(table: pd.DataFrame) -> Iterator[Value]:
    """Kendall's tau of the ranking of features with that against other baselines."""
    others = table[table["baseline"] != table["against"]].dropna(subset="tau")
    for baseline, tau in zip(others["baseline"], others["tau"], strict=True):
        yield f"attribution/tau.{baseline}", float(tau), 0


def _checks(table: pd.DataFrame) -> Iterator[Value]:
    """Every check of the attribution with its pass mark, and how many it fails."""
    for name, value, mark in zip(table["check"], table["value"], table["mark"], strict=True):
        for key, number in ((name, value), (f"{name}.mark", mark)):
            if math.isfinite(number):
                yield f"trust/{key}", float(number), 0
    if len(table):
        yield "trust/failed", float(len(failed_checks(table))), 0


def _drift(table: pd.DataFrame) -> Iterator[Value]:
    """Step is the later fold: share of the importance that moved, what chance moves, their p."""
    keys = {"moved": "drift", "mark": "drift.mark", "p": "drift.p", "tau": "drift.tau"}
    for column, key in keys.items():
        for fold, value in zip(table["fold"], table[column], strict=True):
            yield f"trust/{key}", float(value), int(fold)
    if len(table):
        yield "trust/drift.alerts", float(sum(map(is_true, table["alert"]))), 0
