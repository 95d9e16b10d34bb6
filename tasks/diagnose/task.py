"""The Prefect tasks of this step: the leak tests of the plan, the features and each variant."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import task

from foldproof.tasks.data import load, load_raw
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.diagnose.data.plan import diagnose_plan
from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport
from foldproof.tasks.diagnose.forecaster import QUICK_CUTS, audit_forecaster, data_findings
from foldproof.tasks.diagnose.imported import audited
from foldproof.tasks.diagnose.lookahead.trained_unit import diagnose_unit
from foldproof.tasks.diagnose.spec import AuditSpec
from foldproof.tasks.diagnose.statistical.battery import Known
from foldproof.tasks.diagnose.trace.reference_run import ReferenceRun
from foldproof.tasks.diagnose.trace.run import BoundForecaster
from foldproof.tasks.diagnose.variant import (
    OwnForecaster,
    OwnRows,
    diagnose_features,
    rows_for_fold,
)
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.timing import Timed, timed
from foldproof.tasks.train import TrainedUnit, code_version, train_unit, units_key

EPOCHS, QUICK_EPOCHS = 3, 1
"""Epochs that an audit trains at most: where the future enters, weights of the first show it. One
would leave no choice among them to follow it."""
QUICK_ROWS = 63
"""Rows that a quick audit trains on: where a leak enters shows on few of them as well."""


def diagnosis_key(_: Any, parameters: dict[str, Any]) -> str:
    """Where Prefect keeps the findings: the units, the spec and the code decide them."""
    spec, version = parameters["spec"], code_version(__name__)
    return units_key("diagnose", parameters["trained"], spec.cuts, spec.retrain_folds, version)


@task(
    name="diagnose",
    task_run_name="diagnose {trained[0].unit.variant}",
    persist_result=True,
    cache_key_fn=diagnosis_key,
)
def diagnose(
    trained: list[TrainedUnit], spec: AuditSpec, panel: Path
) -> Timed[tuple[Finding, ...]]:
    """The exact tests of every unit of one variant; the newest folds are also trained again."""
    content = load(panel)
    folds = sorted({one.unit.fold.number for one in trained})
    again = folds[len(folds) - spec.retrain_folds :] if spec.retrain_folds else []
    first_seed = trained[0].unit.seed

    def each() -> tuple[Finding, ...]:
        found: list[Finding] = []
        for one in trained:
            chosen = one.unit.fold.number in again and one.unit.seed == first_seed
            retrain = train_unit if chosen else None
            found += diagnose_unit(one, content, retrain, spec.cuts, one.unit.seed)
        return tuple(found)

    return timed(each)


@task(name="audit folds")
def audit_folds(folds: tuple[Fold, ...], embargo: int, panel: Path) -> Timed[tuple[Finding, ...]]:
    """Purge and order of every border of the plan."""
    return timed(lambda: tuple(diagnose_plan(folds, load(panel).label_end, embargo)))


@task(name="audit features")
def audit_panel_features(data: DataSpec, spec: AuditSpec) -> Timed[tuple[Finding, ...]]:
    """Whether a feature of a past date moves when later raw rows change."""
    return timed(lambda: tuple(diagnose_features(data, cuts=spec.feature_cuts)))


@task(name="audit panel")
def audit_panel(
    own: OwnRows, fold: Fold, spec: AuditSpec, quick: bool
) -> Timed[tuple[Finding, ...]]:
    """What raw rows, features and target show by themselves: once for all variants.

    Features are cut over all years that the fold trains on, the rest is tested on the newest.
    """

    def once() -> tuple[Finding, ...]:
        raw = load_raw(own.data)
        rows, inside = rows_for_fold(raw, fold, trained=QUICK_ROWS if quick else spec.rows)
        about = about_rows(own, rows)
        read, _ = rows_for_fold(raw, fold)
        cut = [] if quick else diagnose_features(own.data, spec.feature_cuts, rows=read)
        ground = ReferenceRun.of(
            BoundForecaster(own, inside), rows, about["known_at"], seed=0, tolerance=None
        )
        known = Known(
            own.labels, own.labels(rows), horizon=about["horizon"], prices=about["prices"],
            hazard=spec.hazard,
        )  # fmt: skip
        return (*cut, *data_findings(ground, known, quick))

    return timed(once)


@task(name="audit variant", task_run_name="audit {forecaster.variant}")
def audit_variant(
    forecaster: OwnForecaster,
    fold: Fold,
    embargo: int,
    spec: AuditSpec,
    quick: bool,
    shared: tuple[Finding, ...] | None = None,
) -> Timed[LeakReport]:
    """The whole battery on one variant and fold, from raw rows on; with what the panel showed."""

    def whole() -> LeakReport:
        own, training = forecaster.rows, forecaster.training
        rows, inside = rows_for_fold(
            load_raw(own.data), fold, trained=QUICK_ROWS if quick else spec.rows
        )
        epochs = min(training.epochs, QUICK_EPOCHS if quick else EPOCHS)
        report = audit_forecaster(
            replace(forecaster, training=replace(training, epochs=epochs)),
            rows,
            inside,
            **about_rows(own, rows),
            target=own.labels,
            embargo=embargo,
            cuts=QUICK_CUTS if quick else spec.forecast_cuts,
            each=1,
            placebo=spec.placebo,
            hazard=spec.hazard,
            quick=quick,
            shared=shared,
        )
        return replace(report, subject=forecaster.variant)

    return timed(whole)


def about_rows(own: OwnRows, rows: pd.DataFrame) -> dict[str, Any]:
    """What an audit is told of checked raw rows."""
    return {
        "known_at": {"target": "label_end"} if "target" in rows else {},
        "prices": ("price",) if "price" in rows else (),
        "horizon": own.target.horizon,
    }


@task(name="audit forecaster")
def audit_outside(
    forecaster: str, rows: pd.DataFrame, fold: Fold, target: str | None, options: dict[str, Any]
) -> Timed[LeakReport]:
    """The whole battery on somebody's own forecaster."""
    return timed(audited, forecaster, rows, fold, target, options)
