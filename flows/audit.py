"""Audit variants, or anybody's forecaster, for information from the future."""

from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from prefect import flow

from foldproof.conf.outside import OutsideAudit
from foldproof.conf.schema import Experiment
from foldproof.flows.processes.schedule import Job, drive
from foldproof.flows.processes.workers import Workers
from foldproof.flows.screens.audit import AuditScreen
from foldproof.models.normalizers import resolve
from foldproof.tasks.data import build, load
from foldproof.tasks.data.panel.read import own_function
from foldproof.tasks.data.task import load_panel
from foldproof.tasks.diagnose import FULL, QUICK, AuditOptions, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.finding import Finding, overall
from foldproof.tasks.diagnose.imported import (
    labels_named,
    long_rows,
    own_fold,
    require_columns,
    require_dates,
)
from foldproof.tasks.diagnose.task import audit_outside, audit_panel, audit_variant
from foldproof.tasks.diagnose.variant import OwnForecaster, OwnRows
from foldproof.tasks.report.task import draw_audit
from foldproof.tasks.split import Fold
from foldproof.tasks.split.task import plan_folds
from foldproof.tasks.timing import Stopwatch, Timed
from foldproof.tasks.track.audit import Audit
from foldproof.tasks.track.store import open_store
from foldproof.tasks.track.task import find_store, log_audit
from foldproof.tasks.train import HOUSE, code_version, digest, variant_version

PANELS = Path(".foldproof/panels")
AUDITS = Path(".foldproof/audits")


@flow(name="audit", description=__doc__, task_runner=Workers())
def audit(experiment: Experiment, quick: bool) -> Audit:
    """Panel and newest fold, every variant audited from raw rows on, page, tracker."""
    screen, watch = AuditScreen(), Stopwatch()
    with watch("data and plan"):
        find_store(experiment.tracking)
        panel = load_panel(experiment.data, experiment.target, PANELS.resolve())
        plan = plan_folds(experiment.split, panel)
    screen.opening(experiment.name, experiment.variants, plan.folds[-1])
    with watch("audits"):
        done, spent = audit_variants(experiment, plan.folds[-1], quick, screen)
    settings = experiment.model_dump(mode="json", exclude={"tracking", "workers"})
    own = [variant_version(name) for name in experiment.variants]
    key = digest("audit", settings, load(panel).fingerprint, plan.hash, own, quick, code_of())[:12]
    reports = tuple(done[name] for name in experiment.variants)
    seconds = watch.seconds | {f"cpu/{name}": one for name, one in spent.items()}
    audited = Audit(
        f"{experiment.name}: leak audit", key, reports, verdict_of(reports), settings, seconds,
        code_of(),
    )  # fmt: skip
    return finish(audited, experiment.tracking, screen)


@flow(name="audit forecaster", description=__doc__)
def audit_own(request: OutsideAudit, quick: bool) -> Audit:
    """Somebody's own forecaster on their own rows: audited, drawn, logged."""
    screen, watch = AuditScreen(), Stopwatch()
    with watch("data and plan"):
        rows, fold = rows_and_fold(request)
    screen.opening(f"audit of {request.forecaster}", (request.forecaster,), fold)
    with watch("audits"):
        # called, not submitted: an interruption reaches their code only in the main thread
        report = audit_outside(
            request.forecaster, rows, fold, request.target, options_of(request, quick)
        ).value
    screen.report(report)
    settings = request.model_dump(mode="json", exclude={"tracking"})
    content = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    # what it found is part of it: their code decides that, and may have been mended since
    found = int(content.sum() % 2**63), list(rows), report.to_json()
    key = digest("audit", settings, found, str(fold), quick, code_of())[:12]
    audited = Audit(
        f"leak audit of {request.forecaster}", key, (report,), report.verdict, settings,
        watch.seconds, code_of(),
    )  # fmt: skip
    return finish(audited, request.tracking, screen)


def finish(audited: Audit, tracking: Any, screen: AuditScreen) -> Audit:
    """Draw, log and show what an audit came to."""
    page = draw_audit(audited.reports, audited.title)
    folder = (AUDITS / audited.audit_id).resolve()
    links = log_audit(tracking, audited, page, folder)
    screen.closing(audited, links, folder)
    return audited


def audit_variants(
    experiment: Experiment, fold: Fold, quick: bool, screen: AuditScreen
) -> tuple[dict[str, LeakReport], dict[str, float]]:
    """The panel, then every variant side by side, in as many processes as there are.

    Returns:
        Reports by variant, and CPU seconds by variant and of ``panel``.
    """
    done: dict[str, LeakReport] = {}
    seconds: dict[str, float] = {}
    spec, embargo = experiment.audit, experiment.split.embargo

    def of_panel(once: Timed[tuple[Finding, ...]]) -> list[Job]:
        seconds["panel"] = once.seconds
        return [job(variant, once.value) for variant in experiment.variants]

    def job(variant: str, shared: tuple[Finding, ...]) -> Job:
        def keep(one: Timed[LeakReport]) -> list[Job]:
            done[variant], seconds[variant] = one.value, one.seconds
            screen.report(one.value)
            return []

        forecaster = OwnForecaster(
            variant, experiment.data, experiment.target, experiment.network, experiment.training,
            experiment.seeds[0],
        )  # fmt: skip
        submit = partial(audit_variant.submit, forecaster, fold, embargo, spec, quick, shared)
        return Job(f"audit {variant}", submit, keep)

    own = OwnRows(experiment.data, experiment.target, experiment.network.window)
    first = Job("audit panel", partial(audit_panel.submit, own, fold, spec, quick), of_panel)
    with screen.bar(1 + len(experiment.variants)) as bar:
        for finished in drive([first], width=2 * experiment.processes):
            bar.step(finished.title)
    return done, seconds


def verdict_of(reports: tuple[LeakReport, ...]) -> Verdict:
    """The worst verdict of the honest variants; UNKNOWN where a planted control is not caught."""
    controls = [one for one in reports if resolve(one.subject).control]
    honest = [one for one in reports if one not in controls]
    if any(one.verdict is not Verdict.LEAK for one in controls):
        return Verdict.UNKNOWN
    return overall(f for one in honest or controls for f in one.findings)


def options_of(request: OutsideAudit, quick: bool) -> AuditOptions:
    """The options of the audit."""
    names = (
        "known_at", "embargo", "horizon", "prices", "placebo", "permutations", "hazard", "seed",
    )  # fmt: skip
    options = QUICK if quick else FULL
    given = {name: getattr(request, name) for name in names}
    return replace(options, cuts=request.cuts or options.cuts, **given)


def code_of() -> str:
    """Version of the code that decides an audit."""
    return code_version(HOUSE)


def run_audit(experiment: Experiment, quick: bool, api: AbstractContextManager[None]) -> Audit:
    """Check what a user can mend, then run the flow."""
    open_store(experiment.tracking)
    panel = build(experiment.data, experiment.target, cache=PANELS.resolve())
    experiment.split.folds(panel.dates, panel.label_end)
    with api:
        return audit(experiment, quick)


def run_outside(request: OutsideAudit, quick: bool, api: AbstractContextManager[None]) -> Audit:
    """The same for somebody's own forecaster."""
    open_store(request.tracking)
    own_function(request.forecaster, "forecaster")
    rows_and_fold(request)
    with api:
        return audit_own(request, quick)


def rows_and_fold(request: OutsideAudit) -> tuple[pd.DataFrame, Fold]:
    """The rows that are asked for, checked, and the fold: the newest of the plan, or our own.

    Read once to check before anything starts and once in the flow, whose parameters stay small.
    """
    rows = long_rows(request.path, request.date, request.symbol, request.start)
    labels_named(request.target, rows)
    require_columns(rows, "prices", request.prices)
    require_columns(rows, "known_at", [*request.known_at, *request.known_at.values()])
    require_dates(rows, "known_at", request.known_at.values())
    dates = np.unique(rows["date"].to_numpy()).astype("datetime64[D]")
    plan = request.split
    fold = plan.folds(dates, shifted(dates, request.horizon))[-1] if plan else None
    return rows, fold or own_fold(dates, request.horizon)


def shifted(dates: np.ndarray, horizon: int) -> np.ndarray:
    """(D,) the date ``horizon`` + 1 rows later, when a label from the next row on is known."""
    ends = np.full(len(dates), np.datetime64("NaT"), dates.dtype)
    ends[: max(0, len(dates) - horizon - 1)] = dates[horizon + 1 :]
    return ends
