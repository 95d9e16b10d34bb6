"""The results of a comparison: everything that the report shows and the tracker logs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from foldproof.models.normalizers.variant import Variant
from foldproof.tasks.attribute import Attribution
from foldproof.tasks.compare.bases import bases_of
from foldproof.tasks.compare.comparison import Comparison
from foldproof.tasks.compare.cube import Tables
from foldproof.tasks.compare.selection import Selection, selection
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.decompose.decompose import Decomposition
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.portfolio.portfolio import Portfolios
from foldproof.tasks.report.text import is_reference, label, minus, on_own_batches
from foldproof.tasks.split.fold import Fold


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
        return minus(f"{self.value:+.4f}{bounds}")


@dataclass(frozen=True, eq=False)
class Results:
    """One finished comparison. Tables are long; variants are named by their key everywhere.

    Attributes:
        title: The experiment's name.
        comparison_id: Hash of all inputs of the comparison; equal ids mean the same comparison.
        config: The resolved configuration.
        config_yaml: The same as YAML; the file repeats this comparison.
        panel_about: Source title, notes, terms of use, warnings (list) of the data.
        panel_summary: dates, symbols, features, first, last, fingerprint; unlabelled, the number of
            members' rows that lack a label although labels of their date are known.
        dates: (D,) datetime64[D] calendar of the panel.
        folds: The plan, oldest first; of a combinatorial one, a fold for each group of dates.
        plan: Hash of the plan.
        plan_audit: One row per fold and border, recomputed independently of the splitter.
        variants: The compared variants by key, without the references.
        comparison: Ranking, by fold, daily rank IC; references appear as ``ref:...``.
        forecasts: date, symbol, fold, variant, seed, forecast, target; out of sample. One table, or
            a function that returns its parts each time it is called.
        curves: variant, fold, seed, epoch, train_loss, validation_loss.
        best_epochs: variant, fold, seed, best_epoch.
        attribution: Tables of attributions of all units; empty without attribution.
        findings: By subject: a variant, or ``features`` and ``folds``, which all variants share.
        verdicts: The verdict on each variant.
        audit_trusted: False if a control (a variant that leaks on purpose) was not flagged LEAK.
        seconds: Wall time by step.
        code_version: Hash of the code that affects results.
        missing: Variants and references that are left out because a part of them failed, with the
            part and the reason.
        engine: What ran the LSTM: torch, or native with instruction set and version.
        earlier: Other configurations compared before in the same MLflow experiment; None if the
            tracking store did not answer.
        tuning: variant, the settings that were tried, rank_ic on the tuning folds, chosen; empty
            without tuning.
        decomposition: What the forecasts are made of; None if that was not computed.
        portfolios: What portfolios by forecast would have earned; None without prices, with too
            few days, or with several paths.
        splits: The folds that were trained, where they are not ``folds``: of a combinatorial plan.
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
    forecasts: pd.DataFrame | Tables
    curves: pd.DataFrame
    best_epochs: pd.DataFrame
    attribution: Attribution
    findings: Mapping[str, tuple[Finding, ...]]
    verdicts: Mapping[str, Verdict]
    audit_trusted: bool
    seconds: Mapping[str, float]
    code_version: str
    missing: Mapping[str, str] = field(default_factory=dict)
    engine: str = "torch"
    earlier: int | None = None
    tuning: pd.DataFrame = field(default_factory=pd.DataFrame)
    decomposition: Decomposition | None = None
    portfolios: Portfolios | None = None
    splits: tuple[Fold, ...] = ()

    @property
    def ranking(self) -> pd.DataFrame:
        """One row per variant or reference, highest mean daily rank IC first."""
        return self.comparison.ranking.sort_values("rank_ic", ascending=False, na_position="last")

    @property
    def left_out(self) -> str:
        """What is missing, in one sentence; empty if nothing is."""
        lost = ", ".join(f"{label(name)} ({why})" for name, why in self.missing.items())
        return f"Left out, because parts failed: {lost}." if lost else ""

    @property
    def other_targets(self) -> str:
        """Which variants train on another target than the one scored, in one sentence; or empty."""
        scored = str(self.config.get("target", {}).get("kind", ""))
        own = {name: one.target for name, one in self.variants.items() if one.target}
        other = ", ".join(f"{label(name)} ({kind})" for name, kind in own.items() if kind != scored)
        return (
            f"Trained on another kind of target: {other}. All forecasters are scored on {scored}; "
            "these forecasts are first multiplied by the ratio of the standard deviations of both "
            "targets in the training rows. Their attributions are in units of their own target."
            if other
            else ""
        )

    @property
    def controls(self) -> list[str]:
        """Variants that leak on purpose, best first."""
        return [name for name in self.ranking.index if self.is_control(name)]

    @property
    def candidates(self) -> list[str]:
        """Variants that are neither control nor LEAK, best first; UNKNOWN is allowed."""
        return [
            name
            for name in self.ranking.index
            if name in self.variants
            and not self.is_control(name)
            and self.verdicts.get(name) is not Verdict.LEAK
        ]

    @property
    def references(self) -> list[str]:
        """Forecasters without an LSTM, best first."""
        return [name for name in self.ranking.index if is_reference(name)]

    @property
    def kept(self) -> list[str]:
        """Candidates in the model confidence set, best first: any of them may be the best."""
        inside = self.ranking["in_confidence_set"]
        return [name for name in self.candidates if is_true(inside[name])]

    @cached_property
    def selection(self) -> Selection:
        """Selection bias of choosing the best candidate, measured against the best reference."""
        horizon = int(self.config.get("target", {}).get("horizon", 1))
        best = self.references[:1]
        daily = self.comparison.daily[[*self.candidates, *best]].dropna().to_numpy()
        count = len(self.candidates)
        reference = daily[:, count] if best else None
        return selection(daily[:, :count], horizon, reference, earlier=self.earlier or 0)

    @property
    def base(self) -> str:
        """The variant that gains are measured against; a key."""
        chosen = self.config.get("statistics", {}).get("reference")
        return StatisticsSpec(reference=chosen).base(list(self.variants))

    @property
    def on_own_batches(self) -> str:
        """Which gains are over :attr:`base` on other batches; empty if none."""
        return on_own_batches(bases_of(list(self.variants), self.base), self.base)

    @property
    def margin(self) -> float:
        """Largest difference in mean daily rank IC that does not matter."""
        return float(self.config.get("statistics", {}).get("margin", StatisticsSpec.margin))

    @property
    def ensemble(self) -> bool:
        """Whether a row is the mean forecast over seeds; otherwise it is one network."""
        return bool(self.config.get("statistics", {}).get("ensemble", StatisticsSpec.ensemble))

    @property
    def drawn(self) -> str:
        """What the intervals allow for."""
        several = "rank_ic_seed" in self.ranking
        what = "seeds and blocks of dates" if several else "blocks of dates"
        alone = "" if several else "; one seed, so they hold for these weights only"
        return f"bootstrap of {what}, which allows for overlapping labels{alone}"

    @property
    def detectable(self) -> float:
        """Median over candidates of the gain over :attr:`base` that would be found; may be NaN."""
        known = self.ranking.reindex(columns=["detectable"])["detectable"].dropna()
        return float(known.median()) if len(known) else math.nan

    def rank_ic(self, name: str) -> Estimate:
        """Mean daily rank IC of a variant or reference with its joint interval."""
        return self._estimate(name, "rank_ic", "low", "high")

    def gain(self, name: str) -> Estimate:
        """Mean daily rank IC minus that of :attr:`base` on the same dates; NaN for the base."""
        if name == self.base:
            return Estimate(math.nan, math.nan, math.nan)
        return self._estimate(name, "difference", "difference_low", "difference_high")

    def _estimate(self, name: str, *columns: str) -> Estimate:
        return Estimate(*entries(self.comparison.ranking, name, *columns))

    def is_control(self, name: str) -> bool:
        """Whether ``name`` is a variant that leaks on purpose."""
        return name in self.variants and self.variants[name].control

    def row_name(self, name: str) -> str:
        """The readable name of a variant or reference, with a note on a control."""
        return f"{label(name)} (control)" if self.is_control(name) else label(name)

    def verdict(self, name: str) -> str:
        """LEAK, UNKNOWN, CLEAN; "not audited" for a reference."""
        return str(self.verdicts.get(name, "not audited"))


def entries(table: pd.DataFrame, name: str, *columns: str) -> list[float]:
    """The numbers of a row; NaN in a column that is missing."""
    return table.reindex(columns=list(columns)).loc[[name]].to_numpy(dtype=float)[0].tolist()


def is_true(value: object) -> bool:
    """Whether a cell of a table is True; a missing value is not."""
    return isinstance(value, bool | np.bool_) and bool(value)
