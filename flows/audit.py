"""Audit variants, or a user's own forecaster, for information from the future."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
from prefect import flow

from foldproof.conf.outside import OutsideAudit
from foldproof.conf.schema import Experiment
from foldproof.flows.assemble import audit_of_forecaster, audit_of_variants
from foldproof.flows.checks import check_experiment, ready_panel
from foldproof.flows.flow_runs.in_part import require_complete, require_sent
from foldproof.flows.flow_runs.this_run import run_name
from foldproof.flows.paths import AUDITS
from foldproof.flows.processes.schedule import Job
from foldproof.flows.processes.workers import Workers, submitted
from foldproof.flows.screens.audit import AuditScreen
from foldproof.flows.variants import first_line
from foldproof.tasks.data.panel.read import own_function
from foldproof.tasks.data.spec import TargetSpec
from foldproof.tasks.diagnose import FULL, QUICK, AuditOptions, LeakReport
from foldproof.tasks.diagnose.audited_rows import audited_fold, horizon_of
from foldproof.tasks.diagnose.counted_runs import expected_runs
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.imported import (
    labels_named,
    long_rows,
    require_columns,
    require_dates,
)
from foldproof.tasks.diagnose.spec import purged_by
from foldproof.tasks.diagnose.task import audit_outside, audit_panel, audit_variant
from foldproof.tasks.diagnose.variant import OwnForecaster, OwnRows
from foldproof.tasks.report.task import draw_audit
from foldproof.tasks.split import Fold, walk_forward_of
from foldproof.tasks.split.task import plan_folds
from foldproof.tasks.timing import Stopwatch, Timed
from foldproof.tasks.track.results.audit import Audit
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import open_store
from foldproof.tasks.track.task import find_store, log_audit
from foldproof.tasks.train import TrainingError


@flow(name="audit", flow_run_name=run_name, description=__doc__, task_runner=Workers())
def audit(experiment: Experiment, quick: bool) -> Audit:
    """Audit every variant on the newest fold, from raw rows to scores; draw and log the page."""
    screen, watch = AuditScreen(), Stopwatch()
    with watch("data and plan"):
        find_store(experiment.tracking)
        panel = ready_panel(experiment.data, experiment.target)
        plan = plan_folds(walk_forward_of(experiment.split, "an audit from raw rows"), panel)
    screen.opening(experiment.name, experiment.variants, plan.folds[-1])
    with watch("audits"):
        missing: dict[str, str] = {}
        reports, cpu = audit_variants(experiment, plan.folds[-1], quick, screen, panel, missing)
    if not reports:
        raise TrainingError(f"no audit finished: {'; '.join(missing.values())}")
    present = tuple(name for name in experiment.variants if name in reports)
    experiment = experiment.model_copy(update={"variants": present})
    audited = audit_of_variants(experiment, panel, plan, quick, reports, watch.seconds, cpu)
    published = publish(audited, experiment.tracking, screen)
    require_complete(missing)
    return published


@flow(name="audit forecaster", flow_run_name="{request.forecaster}", description=__doc__)
def audit_own(request: OutsideAudit, quick: bool) -> Audit:
    """Audit the user's own forecaster on its fold; draw and log the page."""
    screen, watch = AuditScreen(), Stopwatch()
    with watch("data and plan"):
        request, rows, fold = request_with_rows(request)
    screen.opening(f"audit of {request.forecaster}", (request.forecaster,), fold)
    options = options_of(request, quick)
    expected, step = expected_runs(options, traced=False), f"auditing {request.forecaster}"
    with watch("audits"), screen.counting(step, expected, "runs of the forecaster") as advance:
        # called, not submitted: Ctrl-C reaches the user's code only in the main thread
        report = audit_outside(
            request.forecaster, rows, fold, request.target, options, advance
        ).value
    screen.report(report)
    audited = audit_of_forecaster(request, rows, fold, quick, report, watch.seconds)
    return publish(audited, request.tracking, screen)


def publish(audited: Audit, tracking: TrackingSpec, screen: AuditScreen) -> Audit:
    """Draw the page, log it and print the result; returns the audit."""
    page = draw_audit(audited.reports, audited.title)
    folder = (AUDITS / audited.audit_id).resolve()
    links = log_audit(tracking, audited, page, folder)
    screen.closing(audited, links, folder)
    require_sent()
    return audited


def audit_variants(
    experiment: Experiment,
    fold: Fold,
    quick: bool,
    screen: AuditScreen,
    panel: Path,
    missing: dict[str, str] | None = None,
) -> tuple[dict[str, LeakReport], dict[str, float]]:
    """Audit the panel once per kind of target, then all variants side by side.

    Args:
        experiment: What to audit.
        fold: Where.
        quick: Fewer tests.
        screen: Where to print.
        panel: Folder of the panel and the rows that it was made from.
        missing: Receives the variants whose audit fails, with the reason, while the others go on;
            without it, the first failure ends everything.

    Returns:
        Reports by variant, and CPU seconds by variant and of ``panel``.
    """
    reports: dict[str, LeakReport] = {}
    cpu: dict[str, float] = {}
    spec, embargo = experiment.audit, experiment.split.embargo

    def panel_job(target: TargetSpec, variants: Sequence[str]) -> Job:
        def start_variants(audited: Timed[tuple[Finding, ...]]) -> list[Job]:
            cpu["panel"] = cpu.get("panel", 0.0) + audited.seconds
            return [variant_job(variant, audited.value) for variant in variants]

        own = OwnRows(experiment.data, target, experiment.network.window)
        submit = partial(submitted, audit_panel, own, fold, spec, quick, panel)
        return Job(f"audit panel, target {target.kind}", submit, start_variants)

    def variant_job(variant: str, shared: tuple[Finding, ...]) -> Job:
        def keep(audited: Timed[LeakReport]) -> None:
            reports[variant], cpu[variant] = audited
            screen.report(audited.value)

        def lose(error: Exception) -> None:
            assert missing is not None
            missing[variant] = first_line(error)
            screen.say(f"FAILED   {variant}: {missing[variant]}")

        forecaster = OwnForecaster(
            variant, experiment.data, experiment.target_of(variant), experiment.network_of(variant),
            experiment.training, experiment.seeds[0],
        )  # fmt: skip
        submit = partial(
            submitted, audit_variant, forecaster, fold, embargo, spec, quick, shared, panel
        )
        return Job(f"audit {variant}", submit, keep, None if missing is None else lose)

    by_target: dict[TargetSpec, list[str]] = {}
    for variant in experiment.variants:
        by_target.setdefault(experiment.target_of(variant), []).append(variant)
    first = [panel_job(target, variants) for target, variants in by_target.items()]
    screen.follow(first, later=len(experiment.variants))
    return reports, cpu


def options_of(request: OutsideAudit, quick: bool) -> AuditOptions:
    """The options of the audit."""
    names = (
        "known_at", "embargo", "horizon", "prices", "placebo", "permutations", "hazard", "seed",
    )  # fmt: skip
    options = QUICK if quick else FULL
    given = {name: getattr(request, name) for name in names}
    return replace(options, cuts=request.cuts or options.cuts, **given)


def request_with_rows(request: OutsideAudit) -> tuple[OutsideAudit, pd.DataFrame, Fold]:
    """The request with its horizon, the checked rows, and the fold to audit.

    Read twice, before the flow starts and inside it, so that the flow's parameters stay small.
    """
    rows = long_rows(request.path, request.date, request.symbol, request.start)
    labels_named(request.target, rows)
    require_columns(rows, "prices", request.prices)
    require_columns(rows, "known_at", [*request.known_at, *request.known_at.values()])
    require_dates(rows, "known_at", request.known_at.values())
    known_at = purged_by(request.known_at, request.target)
    fold = audited_fold(rows, request.split, request.horizon, known_at, request.embargo)
    horizon = request.horizon or horizon_of(rows, known_at)
    return request.model_copy(update={"horizon": horizon}), rows, fold


def check_outside(request: OutsideAudit) -> None:
    """Open the store, read the rows and choose the fold, while an embedded server starts."""
    open_store(request.tracking)
    own_function(request.forecaster, "forecaster")
    request_with_rows(request)


def run_audit(experiment: Experiment, quick: bool, api: AbstractContextManager[None]) -> Audit:
    """Report what the user can correct, then audit the variants."""
    with check_experiment(experiment), api:
        return audit(experiment, quick)


def run_outside(request: OutsideAudit, quick: bool, api: AbstractContextManager[None]) -> Audit:
    """Report what the user can correct, then audit the user's own forecaster."""
    check_outside(request)
    with api:
        return audit_own(request, quick)
