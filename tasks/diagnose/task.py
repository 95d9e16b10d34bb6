"""The Prefect tasks of this step: leak tests of the plan, the features and each variant."""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import task

from foldproof.models.engine import lstm_engine
from foldproof.tasks.data import load
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.data.panel.read import features_version
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.diagnose.counted_runs import Advance
from foldproof.tasks.diagnose.data.plan import diagnose_plan
from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Verdict
from foldproof.tasks.diagnose.forecaster import audit_forecaster, data_findings
from foldproof.tasks.diagnose.imported import audited
from foldproof.tasks.diagnose.lookahead.trained_unit import diagnose_unit, reproduction
from foldproof.tasks.diagnose.spec import EPOCHS, QUICK_EPOCHS, AuditOptions, AuditSpec
from foldproof.tasks.diagnose.statistical.battery import screened_features
from foldproof.tasks.diagnose.trace.run import BoundForecaster, ReferenceRun
from foldproof.tasks.diagnose.variant import (
    OwnForecaster,
    OwnRows,
    diagnose_features,
    rows_for_fold,
)
from foldproof.tasks.encoded import encode
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.task import kept_task
from foldproof.tasks.timing import Timed, timed
from foldproof.tasks.train import (
    TrainedUnit,
    code_version,
    digest,
    train_unit,
    units_key,
    variant_version,
)
from foldproof.tasks.train.task import whole
from foldproof.tasks.train.unit import file_name, ranges


def diagnosis_key(_: Any, parameters: dict[str, Any]) -> str:
    """Cache key of the findings: a hash of the units, the spec and the code."""
    spec, version = parameters["spec"], code_version(__name__)
    return units_key("diagnose", parameters["trained"], spec.cuts, spec.retrain_folds, version)


@kept_task(
    diagnosis_key,
    name="diagnose",
    tags=["audit"],
    task_run_name="diagnose {trained[0].unit.variant}",
)
def diagnose(
    trained: list[TrainedUnit], spec: AuditSpec, panel: Path
) -> Timed[tuple[Finding, ...]]:
    """The exact tests of one variant on every fold; units of the newest folds train again.

    They run on the first seed: a leak is the variant's, whatever the seed. Of the other seeds the
    stored forecasts are repeated.
    """
    content = load(panel)
    folds = sorted({one.unit.fold.number for one in trained})
    again = folds[len(folds) - spec.retrain_folds :] if spec.retrain_folds else []
    first_seed = trained[0].unit.seed

    def findings() -> tuple[Finding, ...]:
        found: list[Finding] = []
        for one in map(whole, trained):
            if one.unit.seed != first_seed:
                found.append(reproduction(one, content))
                continue
            retrain = train_unit if one.unit.fold.number in again else None
            found += diagnose_unit(one, content, retrain, spec.cuts, one.unit.seed)
        return tuple(found)

    return timed(findings)


def folds_key(_: Any, parameters: dict[str, Any]) -> str:
    """Cache key of the findings on a plan."""
    plan = [ranges(fold) for fold in parameters["folds"]]
    decides = plan, parameters["embargo"], name_of(parameters), code_version(__name__)
    return f"folds-{digest(*decides)}"


def features_key(_: Any, parameters: dict[str, Any]) -> str | None:
    """Cache key of the findings on features; None without the rows that the panel was made from."""
    data, cuts = parameters["data"], parameters["spec"].feature_cuts
    return rows_key("features", parameters, data, asdict(data), cuts)


def panel_key(_: Any, parameters: dict[str, Any]) -> str | None:
    """Cache key of the findings on raw rows, features and target."""
    own, decides = parameters["own"], (asdict(parameters["spec"]), parameters["quick"])
    return rows_key("panel", parameters, own.data, asdict(own), ranges(parameters["fold"]), decides)


def variant_key(_: Any, parameters: dict[str, Any]) -> str | None:
    """Cache key of the audit of a variant."""
    own, spec = parameters["forecaster"], parameters["spec"]
    shared = hashlib.sha256(encode(parameters["shared"])).hexdigest()
    decides = (
        asdict(own), ranges(parameters["fold"]), parameters["embargo"], asdict(spec),
        parameters["quick"], shared, variant_version(own.variant),
        lstm_engine(own.network, own.training),
    )  # fmt: skip
    return rows_key(f"audit-{file_name(own.variant)}", parameters, own.data, decides)


def rows_key(step: str, parameters: dict[str, Any], data: DataSpec, *decides: object) -> str | None:
    """Cache key of findings on the rows of a panel; None without a panel."""
    if parameters["panel"] is None:
        return None
    version = features_version(data), code_version(__name__)
    return f"{step}-{digest(name_of(parameters), decides, version)}"


def name_of(parameters: dict[str, Any]) -> str:
    """The name of the panel's folder: a hash of its rows and settings."""
    return Path(parameters["panel"]).name


@kept_task(folds_key, name="audit folds", tags=["audit"])
def audit_folds(folds: tuple[Fold, ...], embargo: int, panel: Path) -> Timed[tuple[Finding, ...]]:
    """Purge and order at every border of the plan."""
    return timed(lambda: tuple(diagnose_plan(folds, load(panel).label_end, embargo)))


@kept_task(features_key, name="audit features", tags=["audit"])
def audit_panel_features(
    data: DataSpec, spec: AuditSpec, panel: Path | None = None
) -> Timed[tuple[Finding, ...]]:
    """Whether features of past dates move when later raw rows change."""

    def findings() -> tuple[Finding, ...]:
        rows = None if data.features == "ready" else rows_of(panel, data)  # ready: not tested
        return tuple(diagnose_features(data, spec.feature_cuts, rows=rows))

    return timed(findings)


@kept_task(panel_key, name="audit panel", tags=["audit"])
def audit_panel(
    own: OwnRows, fold: Fold, spec: AuditSpec, quick: bool, panel: Path | None = None
) -> Timed[tuple[Finding, ...]]:
    """The tests of raw rows, features and target, which all variants share.

    Features are cut over all training years of the fold; the other tests use the newest rows.
    """

    def findings() -> tuple[Finding, ...]:
        raw = rows_of(panel, own.data)
        rows, inside = rows_for_fold(raw, fold, trained=spec.training_rows(quick))
        all_rows, _ = rows_for_fold(raw, fold)
        ready = own.data.features == "ready"
        cut = diagnose_features(own.data, spec.feature_cuts, all_rows) if ready or not quick else []
        options = _options(own, rows, spec, quick)
        reference = ReferenceRun.of(BoundForecaster(own, inside), rows, options)
        found = data_findings(reference)
        if ready and quick:  # nothing else tests them
            screened = screened_features(reference)
            found += [one for one in screened if one.verdict is not Verdict.UNKNOWN]
        return (*cut, *found)

    return timed(findings)


@kept_task(
    variant_key, name="audit variant", tags=["audit"], task_run_name="audit {forecaster.variant}"
)
def audit_variant(
    forecaster: OwnForecaster,
    fold: Fold,
    embargo: int,
    spec: AuditSpec,
    quick: bool,
    shared: tuple[Finding, ...] | None = None,
    panel: Path | None = None,
) -> Timed[LeakReport]:
    """The audit of one variant on one fold, from raw rows to scores, with the panel's findings."""

    def report() -> LeakReport:
        own, training = forecaster.rows, forecaster.training
        raw = rows_of(panel, own.data)
        rows, inside = rows_for_fold(raw, fold, trained=spec.training_rows(quick))
        epochs = min(training.epochs, QUICK_EPOCHS if quick else EPOCHS)
        short = replace(forecaster, training=replace(training, epochs=epochs))
        options = replace(_options(own, rows, spec, quick), embargo=embargo)
        found = audit_forecaster(short, rows, inside, options, shared=shared)
        return replace(found, subject=forecaster.variant)

    return timed(report)


def _options(own: OwnRows, rows: pd.DataFrame, spec: AuditSpec, quick: bool) -> AuditOptions:
    """The options of an audit on checked raw rows."""
    return spec.options(
        quick,
        known_at={"target": "label_end"} if "target" in rows else {},
        prices=("price",) if "price" in rows else (),
        horizon=own.target.horizon,
        target=own.labels,
    )


@task(name="audit forecaster")
def audit_outside(
    forecaster: str,
    rows: pd.DataFrame,
    fold: Fold,
    target: str | None,
    options: AuditOptions,
    advance: Advance | None = None,
) -> Timed[LeakReport]:
    """The audit of a user's own forecaster; ``advance`` is called after each of its runs."""
    return timed(audited, forecaster, rows, fold, target, options, advance)
