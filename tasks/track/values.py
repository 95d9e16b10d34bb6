"""Results as the tracker's keys and values: pure, finite, within its limits."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
from mlflow.entities import Metric, Param, RunTag

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.report import Results, answers, summary_markdown
from foldproof.tasks.track.attributed import Value, attribution_values

NOTE = "mlflow.note.content"
"""The tag that the UI shows as a run's description, as Markdown."""
LONGEST = {"key": 250, "param": 6000, "tag": 8000}
INTERVAL = {"low": "rank_ic_low", "high": "rank_ic_high"}
"""Columns of the ranking whose own name would not say whose bound they are."""


def key_of(name: str) -> str:
    """A name with what the tracker does not take replaced by ``_``; ``/`` makes UI sections."""
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)[: LONGEST["key"]]


def metrics(values: Iterable[Value], timestamp: int) -> list[Metric]:
    """The finite ones: the tracker would take NaN silently and draw it as a number."""
    return [
        Metric(key_of(name), float(value), timestamp, step)
        for name, value, step in values
        if math.isfinite(value)
    ]


def params(values: Mapping[str, Any]) -> list[Param]:
    """Parameters, cut to the tracker's length."""
    return [Param(key_of(k), str(v)[: LONGEST["param"]]) for k, v in values.items()]


def tags(values: Mapping[str, Any]) -> list[RunTag]:
    """Tags, cut to the tracker's length."""
    return [RunTag(key_of(k), str(v)[: LONGEST["tag"]]) for k, v in values.items()]


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings under dotted names; lists as text."""
    found: dict[str, str] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            found[name] = ", ".join(str(entry) for entry in value)
        else:
            found[name] = str(value)
    return found


def settings(results: Results) -> dict[str, str]:
    """The configuration but for what is compared: that is what the runs differ in."""
    compared = ("variants", "references", "tracking", "workers")
    return flat({k: v for k, v in results.config.items() if k not in compared})


def shared_tags(results: Results) -> dict[str, str]:
    """What joins the runs of one comparison, and says on what it was computed."""
    return {
        "comparison": results.comparison_id,
        "title": results.title,
        "plan": results.plan,
        "panel": str(results.panel_summary["fingerprint"]),
        "code_version": results.code_version,
    }


def variant_tags(results: Results, name: str) -> dict[str, str]:
    """What tells a variant's run from the others."""
    variant = results.variants[name]
    note = f"**{variant.title}**: {variant.formula}\n\n{variant.source}"
    return shared_tags(results) | {
        "kind": "variant",
        "variant": name,
        "verdict": results.verdict(name),
        "control": str(variant.control).lower(),
        "in_confidence_set": str(name in results.kept).lower(),
        NOTE: note,
    }


def variant_params(results: Results, name: str) -> dict[str, str]:
    """The configuration and what the variant is."""
    variant = results.variants[name]
    fields = ("title", "formula", "source", "causal", "coupling", "training_coupling", "control")
    about = {f"variant.{field}": str(getattr(variant, field)) for field in fields}
    return {"variant": name} | about | settings(results)


def variant_values(results: Results, name: str) -> Iterator[Value]:
    """Every number of a variant: overall, by fold, by epoch, by feature."""
    yield from _overall(results.ranking.T[name])
    yield from _by_fold(_only(results.comparison.by_fold, name))
    yield from _by_epoch(_only(results.curves, name), _only(results.best_epochs, name))
    yield from attribution_values(results.attribution, name)
    yield from _leaks(results, name)


def _only(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[table["variant"] == name]


def _overall(entry: pd.Series) -> Iterator[Value]:
    for column, value in entry.items():
        if not pd.isna(value):
            yield f"oos/{INTERVAL.get(str(column), column)}", float(value), 0


def _by_fold(table: pd.DataFrame) -> Iterator[Value]:
    """Step is the fold."""
    for column in table.columns.difference(["variant", "fold"]):
        for fold, value in zip(table["fold"], table[column], strict=True):
            yield f"fold/{column}", float(value), int(fold)


def _by_epoch(curves: pd.DataFrame, best: pd.DataFrame) -> Iterator[Value]:
    """Step is the epoch: the mean over the folds and seeds that were still training."""
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
    """The answer in the tags and the description of the summary run."""
    note = summary_markdown(results, url)
    if len(note) > LONGEST["tag"]:
        note = "\n\n".join(answers(results))
    best = results.candidates[0] if results.candidates else ""
    verdicts = {f"verdict.{name}": results.verdict(name) for name in results.variants}
    return (
        shared_tags(results)
        | verdicts
        | {
            "kind": "summary",
            "best": best,
            "confidence_set": ", ".join(results.kept),
            "audit_trusted": str(results.audit_trusted).lower(),
            NOTE: note,
        }
    )


def summary_params(results: Results) -> dict[str, str]:
    """The configuration and the shape of the panel."""
    panel = {
        f"panel.{key}": str(len(value) if isinstance(value, list | tuple) else value)
        for key, value in results.panel_summary.items()
    }
    compared = {
        key: results.config[key] for key in ("variants", "references") if key in results.config
    }
    return settings(results) | flat(compared) | panel


def summary_values(results: Results) -> Iterator[Value]:
    """Rank IC of the best, what choosing it costs, how many are left and leak, seconds by step."""
    if results.candidates:
        for part, value in results.rank_ic(results.candidates[0])._asdict().items():
            yield f"summary/best_rank_ic{'' if part == 'value' else f'_{part}'}", value, 0
    leaks = {name for name, verdict in results.verdicts.items() if verdict is Verdict.LEAK}
    yield "summary/candidates", float(len(results.candidates)), 0
    yield "summary/in_confidence_set", float(len(results.kept)), 0
    for part, value in results.selection._asdict().items():
        yield f"selection/{part}", float(value), 0
    yield "summary/leaking", float(len(leaks - set(results.controls))), 0
    for step, spent in results.seconds.items():
        yield f"seconds/{step}", float(spent), 0
