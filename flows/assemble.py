"""Put the results of a finished comparison or audit into the one value that is logged."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from foldproof.conf.load import to_yaml
from foldproof.conf.outside import OutsideAudit
from foldproof.conf.schema import Experiment
from foldproof.flows.variants import Fitted
from foldproof.models.engine import lstm_engine
from foldproof.models.normalizers import resolve
from foldproof.tasks.attribute import Attribution
from foldproof.tasks.compare.comparison import Comparison
from foldproof.tasks.data import Panel, load
from foldproof.tasks.decompose.decompose import Decomposition
from foldproof.tasks.diagnose import LeakReport, Verdict
from foldproof.tasks.diagnose.audited_rows import rows_fingerprint
from foldproof.tasks.diagnose.findings.finding import overall
from foldproof.tasks.diagnose.findings.joint_verdict import joint_verdict
from foldproof.tasks.portfolio.portfolio import Portfolios
from foldproof.tasks.report.results import Results
from foldproof.tasks.split import Fold
from foldproof.tasks.split.task import Plan
from foldproof.tasks.track.results.audit import Audit
from foldproof.tasks.train import HOUSE, TrainedUnit, code_version, digest, variant_version


def comparison_id(experiment: Experiment, fingerprint: str, plan: str) -> str:
    """Hash of everything that decides a comparison.

    The tracking store, where it is computed and the settings of the nightly commands do not.
    """
    settings = experiment.model_dump(mode="json", exclude={"tracking", "operation", "compute"})
    versions = [variant_version(name) for name in experiment.variants]
    engine = lstm_engine(experiment.network, experiment.training)
    return digest(settings, fingerprint, plan, versions, engine, code_version(HOUSE))[:12]


def assemble(
    experiment: Experiment,
    panel: Path,
    plan: Plan,
    fitted: Fitted,
    comparison: Comparison,
    decomposition: Decomposition,
    portfolios: Portfolios | None,
    seconds: Mapping[str, float],
) -> Results:
    """The results of a finished comparison.

    A variant's verdict is the worst of its own findings and the findings on features and folds,
    which all variants share. The audit is trusted if there is a control and every control is LEAK.
    Variants that miss a part are left out.
    """
    content = load(panel)
    present = [name for name in experiment.variants if name not in fitted.missing]
    variants = {name: resolve(name) for name in present}
    controls = [overall(fitted.findings[name]) for name in variants if variants[name].control]
    units = [one for trained in fitted.complete.values() for one in trained]
    return Results(
        title=experiment.name,
        comparison_id=comparison_id(experiment, content.fingerprint, plan.hash),
        config=experiment.model_dump(mode="json"),
        config_yaml=to_yaml(experiment),
        panel_about=content.about,
        panel_summary={
            "dates": len(content.dates),
            "symbols": list(content.symbols),
            "features": list(content.features),
            "first": str(content.dates[0]),
            "last": str(content.dates[-1]),
            "fingerprint": content.fingerprint,
            "unlabelled": unlabelled(content),
        },
        dates=content.dates,
        folds=plan.by_date,
        splits=plan.folds if plan.paths else (),
        plan=plan.hash,
        plan_audit=plan.audit,
        variants=variants,
        comparison=comparison,
        forecasts=fitted.forecasts,
        curves=pd.concat([learning_curves(one) for one in units], ignore_index=True),
        best_epochs=pd.DataFrame(
            [unit_columns(one) | {"best_epoch": one.best_epoch} for one in units]
        ),
        attribution=Attribution.joined(
            [one for name in present for one in fitted.attributions.get(name, ())]
        ),
        findings={
            **{name: found for name, found in fitted.findings.items() if name in present},
            **fitted.shared,
        },
        verdicts={name: fitted.verdicts[name] for name in variants},
        audit_trusted=bool(controls) and all(one is Verdict.LEAK for one in controls),
        seconds=dict(seconds),
        code_version=code_version(HOUSE),
        missing=dict(fitted.missing),
        tuning=fitted.tuned.table(experiment.tuning.tried),
        engine=", ".join(sorted({one.engine for one in units})),
        decomposition=decomposition,
        portfolios=portfolios,
    )


def unlabelled(panel: Panel) -> int:
    """Members' rows without a label although labels of their date are known.

    The stock was delisted or had no price when the label began or ended. Such rows are neither
    trained on nor scored.
    """
    known = ~np.isnat(panel.label_end)[:, None]
    return int((panel.member & known & np.isnan(panel.target)).sum())


def unit_columns(one: TrainedUnit) -> dict[str, str | int]:
    """The columns that name a unit."""
    unit = one.unit
    return {"variant": unit.variant, "fold": unit.fold.number, "seed": unit.seed}


def learning_curves(one: TrainedUnit) -> pd.DataFrame:
    """Loss by epoch, with the columns that name the unit."""
    named = one.curves.assign(**unit_columns(one))
    return named[["variant", "fold", "seed", "epoch", "train_loss", "validation_loss"]]


def audit_of_variants(
    experiment: Experiment,
    panel: Path,
    plan: Plan,
    quick: bool,
    reports: Mapping[str, LeakReport],
    seconds: Mapping[str, float],
    cpu: Mapping[str, float],
) -> Audit:
    """The audit of a configuration's variants, in the configuration's order.

    Its id hashes everything that decides the findings.
    """
    settings = experiment.model_dump(mode="json", exclude={"tracking", "compute"})
    versions = [variant_version(name) for name in experiment.variants]
    code, ordered = code_version(HOUSE), tuple(reports[name] for name in experiment.variants)
    key = digest("audit", settings, load(panel).fingerprint, plan.hash, versions, quick, code)
    return Audit(
        f"{experiment.name}: leak audit", key[:12], ordered, joint_verdict(ordered), settings,
        {**seconds, **{f"cpu/{name}": spent for name, spent in cpu.items()}}, code,
    )  # fmt: skip


def audit_of_forecaster(
    request: OutsideAudit,
    rows: pd.DataFrame,
    fold: Fold,
    quick: bool,
    report: LeakReport,
    seconds: Mapping[str, float],
) -> Audit:
    """The audit of a user's own forecaster.

    Its id hashes the findings too: they depend on the user's code, which may change between runs.
    """
    settings, code = request.model_dump(mode="json", exclude={"tracking"}), code_version(HOUSE)
    found = rows_fingerprint(rows), list(rows), report.to_json()
    key = digest("audit", settings, found, str(fold), quick, code)
    return Audit(
        f"leak audit of {request.forecaster}", key[:12], (report,), report.verdict, settings,
        dict(seconds), code,
    )  # fmt: skip
