"""Put everything that a comparison came to into the one value that is reported and logged."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from foldproof.conf.load import to_yaml
from foldproof.conf.schema import Experiment
from foldproof.flows.variants import Fitted
from foldproof.models.normalizers import resolve
from foldproof.tasks.attribute import Attribution
from foldproof.tasks.compare import Comparison
from foldproof.tasks.data import load
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.findings.finding import overall
from foldproof.tasks.report import Results
from foldproof.tasks.split.task import Plan
from foldproof.tasks.train import HOUSE, TrainedUnit, code_version, digest, variant_version


def comparison_id(experiment: Experiment, fingerprint: str, plan: str) -> str:
    """Hash of all that decides a comparison.

    Where it is logged, on how many cores, and what becomes of the best afterwards does not.
    """
    decides = experiment.model_dump(mode="json", exclude={"tracking", "operation", "workers"})
    own = [variant_version(name) for name in experiment.variants]
    code = code_version(HOUSE)
    return digest(decides, fingerprint, plan, own, code)[:12]


def assemble(
    experiment: Experiment,
    panel: Path,
    plan: Plan,
    fitted: Fitted,
    comparison: Comparison,
    seconds: Mapping[str, float],
) -> Results:
    """The results of a finished comparison.

    A variant's verdict is the worst of its own findings and of those on features and folds, which
    all variants share. The audit is trusted when there is a control and every control is a LEAK.
    """
    content = load(panel)
    variants = {name: resolve(name) for name in experiment.variants}
    common = [finding for findings in fitted.shared.values() for finding in findings]
    verdicts = {name: overall([*fitted.findings[name], *common]) for name in variants}
    own = {name: overall(fitted.findings[name]) for name in variants if variants[name].control}
    units = [one for trained in fitted.trained.values() for one in trained]
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
        },
        dates=content.dates,
        folds=plan.folds,
        plan=plan.hash,
        plan_audit=plan.audit,
        variants=variants,
        comparison=comparison,
        forecasts=fitted.forecasts,
        curves=pd.concat([curves_of(one) for one in units], ignore_index=True),
        best_epochs=pd.DataFrame(
            [(*who(one).values(), one.best_epoch) for one in units],
            columns=["variant", "fold", "seed", "best_epoch"],
        ),
        attribution=joined(fitted),
        findings={**fitted.findings, **fitted.shared},
        verdicts=verdicts,
        audit_trusted=bool(own) and all(verdict is Verdict.LEAK for verdict in own.values()),
        seconds=dict(seconds),
        code_version=code_version(HOUSE),
    )


def who(one: TrainedUnit) -> dict[str, str | int]:
    """The columns that name a unit."""
    unit = one.unit
    return {"variant": unit.variant, "fold": unit.fold.number, "seed": unit.seed}


def curves_of(one: TrainedUnit) -> pd.DataFrame:
    """A unit's learning curves with its name."""
    named = one.curves.assign(**who(one))
    return named[["variant", "fold", "seed", "epoch", "train_loss", "validation_loss"]]


def joined(fitted: Fitted) -> Attribution:
    """The attributions of all units, table by table."""
    parts = [part for attributions in fitted.attributions.values() for part in attributions]
    return Attribution.joined(parts)
