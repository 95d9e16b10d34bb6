"""Tags, parameters and metrics of a comparison's runs."""

import math
from collections.abc import Iterator

import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.markdown import escaped
from foldproof.tasks.report.comparison.answers import answers, summary_markdown
from foldproof.tasks.report.results import Results
from foldproof.tasks.track.attribution_metrics import attribution_values
from foldproof.tasks.track.entries import LONGEST, NOTE, Value, flat, seconds
from foldproof.tasks.track.runs import MISSING

INTERVAL = {"low": "rank_ic_low", "high": "rank_ic_high"}
"""Columns of the ranking whose own name does not say which interval they bound."""


def settings(results: Results) -> dict[str, str]:
    """The configuration, without the settings in which the runs differ."""
    return flat(results.config, without=("variants", "references", "tracking", "workers"))


def shared_tags(results: Results) -> dict[str, str]:
    """Tags that join the runs of one comparison, and identify data, plan and code."""
    return {
        "comparison": results.comparison_id,
        "title": results.title,
        "plan": results.plan,
        "panel": str(results.panel_summary["fingerprint"]),
        "code_version": results.code_version,
        **({MISSING: missing_tag(results)} if results.missing else {}),
        "engine": results.engine,
    }


def missing_tag(results: Results) -> str:
    """What is missing, by name and part, as far as a tag holds it; empty if nothing is."""
    return "; ".join(f"{name}: {why}" for name, why in sorted(results.missing.items()))[
        : LONGEST["tag"]
    ]


def variant_tags(results: Results, name: str) -> dict[str, str]:
    """Tags of a variant's run."""
    variant = results.variants[name]
    return shared_tags(results) | {
        "kind": "variant",
        "variant": name,
        "verdict": results.verdict(name),
        "control": str(variant.control).lower(),
        "in_confidence_set": str(name in results.kept).lower(),
        NOTE: f"**{escaped(variant.title)}**: {escaped(variant.formula)}\n\n"
        f"{escaped(variant.source)}",
    }


def variant_params(results: Results, name: str) -> dict[str, str]:
    """The configuration, and a description of the variant."""
    variant = results.variants[name]
    fields = ("title", "formula", "source", "causal", "coupling", "training_coupling", "control")
    about = {f"variant.{field}": str(getattr(variant, field)) for field in fields}
    return {"variant": name} | about | settings(results)


def variant_values(results: Results, name: str) -> Iterator[Value]:
    """Every number of a variant: overall, by fold, by epoch, by feature, leaks."""

    def own(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["variant"] == name]

    for column, value in results.ranking.T[name].items():
        if not pd.isna(value) and not isinstance(value, str):
            yield f"oos/{INTERVAL.get(str(column), column)}", float(value), 0
    by_fold = own(results.comparison.by_fold)
    for column in by_fold.columns.difference(["variant", "fold"]):
        for fold, value in zip(by_fold["fold"], by_fold[column], strict=True):
            yield f"fold/{column}", float(value), int(fold)
    yield from _by_epoch(own(results.curves), own(results.best_epochs))
    yield from attribution_values(results.attribution, name)
    yield from _leaks(results, name)


def _by_epoch(curves: pd.DataFrame, best: pd.DataFrame) -> Iterator[Value]:
    """Mean loss over the folds and seeds still in training; the step is the epoch."""
    means = curves.groupby("epoch")[["train_loss", "validation_loss"]].mean()
    for epoch, losses in means.iterrows():
        yield "train/loss", losses["train_loss"], int(str(epoch))
        yield "validation/loss", losses["validation_loss"], int(str(epoch))
    for fold, epoch in best.groupby("fold")["best_epoch"].mean().items():
        yield "train/best_epoch", float(epoch), int(str(fold))


def _leaks(results: Results, name: str) -> Iterator[Value]:
    """The largest statistic of every test that counts, and the number of leaks."""
    counted = [f for f in results.findings.get(name, ()) if f.counts]
    for test in dict.fromkeys(finding.test for finding in counted):
        sizes = [f.value for f in counted if f.test == test and math.isfinite(f.value)]
        yield f"leak/{test}", max(sizes, default=math.nan), 0
    if counted:
        yield "leak/found", float(sum(f.verdict is Verdict.LEAK for f in counted)), 0


def summary_tags(results: Results, url: str) -> dict[str, str]:
    """The answers as tags and as the description of the summary run."""
    note = summary_markdown(results, url)
    if len(note) > LONGEST["tag"]:
        note = "\n\n".join(escaped(str(answer)) for answer in answers(results))
    verdicts = {f"verdict.{name}": results.verdict(name) for name in results.variants}
    return (
        shared_tags(results)
        | verdicts
        | {
            "kind": "summary",
            "best": results.candidates[0] if results.candidates else "",
            "confidence_set": ", ".join(results.kept),
            "audit_trusted": str(results.audit_trusted).lower(),
            NOTE: note,
        }
    )


def summary_params(results: Results) -> dict[str, str]:
    """The configuration, what is compared, and the shape of the panel."""
    compared = {
        key: results.config[key] for key in ("variants", "references") if key in results.config
    }
    return settings(results) | flat(compared) | flat(panel_shape(results), prefix="panel.")


def panel_shape(results: Results) -> dict[str, object]:
    """The panel's summary, lists by their length."""
    return {
        key: len(value) if isinstance(value, list | tuple) else value
        for key, value in results.panel_summary.items()
    }


def summary_values(results: Results) -> Iterator[Value]:
    """Rank IC of the best, luck of the choice, counts of candidates and leaks, seconds by step."""
    if results.candidates:
        for part, value in results.rank_ic(results.candidates[0])._asdict().items():
            yield f"summary/best_rank_ic{'' if part == 'value' else f'_{part}'}", value, 0
    leaks = {name for name, verdict in results.verdicts.items() if verdict is Verdict.LEAK}
    yield "summary/candidates", float(len(results.candidates)), 0
    yield "summary/in_confidence_set", float(len(results.kept)), 0
    luck = results.selection
    for part in ("trials", "overfitting", "deflated"):
        yield f"selection/{part}", float(getattr(luck, part)), 0
    yield "summary/leaking", float(len(leaks - set(results.controls))), 0
    yield from seconds(results.seconds)
