"""What a comparison knows at its end: all that the report draws and the tracker logs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from foldproof.models.normalizers.variant import Variant
from foldproof.tasks.attribute import Attribution
from foldproof.tasks.compare import Comparison, Selection, selection
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.train import PREFIX, REFERENCES


class Estimate(NamedTuple):
    """A number with its interval; all NaN where there is none."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether the number and its interval exist."""
        return all(math.isfinite(part) for part in self)

    def __str__(self) -> str:
        if not math.isfinite(self.value):
            return "–"
        bounds = f" [{self.low:+.4f}, {self.high:+.4f}]" if self.known else ""
        return f"{self.value:+.4f}{bounds}".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True, eq=False)
class Results:
    """One finished comparison. Tables are long; variants are named by their key everywhere.

    Attributes:
        title: The experiment's name.
        comparison_id: Hash of everything that decides the comparison; equal ids are one comparison.
        config: The resolved configuration.
        config_yaml: The same as the file that repeats this comparison.
        panel_about: Source title, notes, terms of use, warnings (list) of the data.
        panel_summary: Counts and borders: dates, symbols, features, first, last, fingerprint.
        dates: (D,) datetime64[D] calendar of the panel.
        folds: The plan, oldest first.
        plan: Hash of the plan.
        plan_audit: One row a fold and border, recomputed apart from the cutting.
        variants: What was compared, by key; the references are not in it.
        comparison: Ranking, by fold, daily rank IC; references appear as ``ref:...``.
        forecasts: date, symbol, fold, variant, seed, forecast, target; out of sample.
        curves: variant, fold, seed, epoch, train_loss, validation_loss.
        best_epochs: variant, fold, seed, best_epoch.
        attribution: Tables of attributions of all units; empty when none was asked for.
        findings: By subject: a variant, or ``features`` and ``folds``, which all variants share.
        verdicts: The verdict on each variant.
        audit_trusted: False when a control, which leaks on purpose, did not come out LEAK.
        seconds: Wall time by step.
        code_version: Hash of the code that decides results.
    """

    title: str
    comparison_id: str
    config: Mapping[str, Any]
    config_yaml: str
    panel_about: Mapping[str, Any]
    panel_summary: Mapping[str, Any]
    dates: np.ndarray
    folds: tuple[Fold, ...]
    plan: str
    plan_audit: pd.DataFrame
    variants: Mapping[str, Variant]
    comparison: Comparison
    forecasts: pd.DataFrame
    curves: pd.DataFrame
    best_epochs: pd.DataFrame
    attribution: Attribution
    findings: Mapping[str, tuple[Finding, ...]]
    verdicts: Mapping[str, Verdict]
    audit_trusted: bool
    seconds: Mapping[str, float]
    code_version: str

    @property
    def ranking(self) -> pd.DataFrame:
        """One row a variant or reference, highest mean daily rank IC first."""
        return self.comparison.ranking.sort_values("rank_ic", ascending=False, na_position="last")

    @property
    def controls(self) -> list[str]:
        """Variants that leak on purpose, in the order of the ranking."""
        return [name for name in self.ranking.index if self.is_control(name)]

    @property
    def candidates(self) -> list[str]:
        """Variants that one could use: no control, no LEAK; best first. UNKNOWN stays in."""
        return [
            name
            for name in self.ranking.index
            if name in self.variants
            and not self.is_control(name)
            and self.verdicts.get(name) is not Verdict.LEAK
        ]

    @property
    def references(self) -> list[str]:
        """Forecasters that are no LSTM, best first."""
        return [name for name in self.ranking.index if is_reference(name)]

    @property
    def kept(self) -> list[str]:
        """Candidates in the confidence set: none of them can be ruled out as the best."""
        inside = self.ranking["in_confidence_set"]
        return [name for name in self.candidates if is_true(inside[name])]

    @cached_property
    def selection(self) -> Selection:
        """What choosing the best candidate by its past costs."""
        horizon = int(self.config.get("target", {}).get("horizon", 1))
        return selection(self.comparison.daily[self.candidates].dropna().to_numpy(), horizon)

    @property
    def base(self) -> str:
        """The variant that gains are measured against."""
        return str(self.config.get("statistics", {}).get("reference", "none"))

    def rank_ic(self, name: str) -> Estimate:
        """Mean daily rank IC of a variant or reference with its joint interval."""
        return self._estimate(name, "rank_ic", "low", "high")

    def gain(self, name: str) -> Estimate:
        """The same less that of :attr:`base`, on the same dates; unknown for the base itself."""
        if name == self.base:
            return Estimate(math.nan, math.nan, math.nan)
        return self._estimate(name, "difference", "difference_low", "difference_high")

    def _estimate(self, name: str, *columns: str) -> Estimate:
        table = self.comparison.ranking.reindex(columns=list(columns))
        return Estimate(*table.loc[[name]].to_numpy(dtype=float)[0].tolist())

    def is_control(self, name: str) -> bool:
        """Whether ``name`` is a variant that leaks on purpose."""
        return name in self.variants and self.variants[name].control

    def verdict(self, name: str) -> str:
        """LEAK, UNKNOWN, CLEAN; "not audited" for a reference."""
        return str(self.verdicts.get(name, "not audited"))


def is_true(value: object) -> bool:
    """Whether a cell of a table is True; missing is not."""
    return isinstance(value, bool | np.bool_) and bool(value)


def is_reference(name: str) -> bool:
    """Whether ``name`` is a forecaster that is no LSTM."""
    return name.startswith(PREFIX)


def label(name: str) -> str:
    """A variant's or reference's name as people read it: ``ref:ridge`` -> ridge regression."""
    if is_reference(name):
        key = name.removeprefix(PREFIX)
        return REFERENCES[key].title if key in REFERENCES else key
    return name.rpartition(":")[2]


def names(keys: Iterable[str]) -> str:
    """A, B and C."""
    *head, last = [label(key) for key in keys]
    return f"{', '.join(head)} and {last}" if head else last
