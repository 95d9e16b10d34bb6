"""Tags, parameters and metrics of a comparison's runs."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from foldproof.tasks.data import DRAWN
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.markdown import escaped
from foldproof.tasks.portfolio.portfolio import LONG_SHORT
from foldproof.tasks.report.attribution.shares import failed_checks
from foldproof.tasks.report.comparison.answers import answers, summary_markdown
from foldproof.tasks.report.portfolio.table import long_short
from foldproof.tasks.report.results import Results, is_true
from foldproof.tasks.track.entries import LONGEST, NOTE, Value, flat, seconds
from foldproof.tasks.track.runs import MISSING

OVERALL: Mapping[str, str] = MappingProxyType({
    "rank_ic": "oos/rank_ic",
    "low": "oos/rank_ic_low",
    "high": "oos/rank_ic_high",
    "rank_icir": "oos/rank_icir",
    "difference": "oos/rank_ic_difference",
    "difference_low": "oos/rank_ic_difference_low",
    "difference_high": "oos/rank_ic_difference_high",
    "rank_ic_seed": "oos/rank_ic_seed",
    "seed_sd": "oos/rank_ic_seed_sd",
    "path_sd": "oos/rank_ic_path_sd",
    "path_low": "oos/rank_ic_path_low",
    "path_high": "oos/rank_ic_path_high",
    "mse_ratio": "oos_secondary/mse_ratio",
    "hit_rate": "oos_secondary/hit_rate",
    "quantile_spread": "oos_secondary/quantile_spread",
    "coverage": "oos_secondary/coverage",
})  # fmt: skip
"""Metric of each column of the ranking that is one; the others are in ``overall.csv``. MLflow sorts
sections and charts by name, so the charts of a comparison begin with the rank IC."""
PORTFOLIO: Mapping[str, str] = MappingProxyType({
    "sharpe": "oos/sharpe",
    "turnover": "oos_secondary/turnover",
    "break_even": "oos_secondary/break_even_bp",
})  # fmt: skip
"""Metric of each figure of the long-short portfolio that is one; the others are in the tables."""
BY_FOLD = ("rank_ic", "mse_ratio")
"""Columns of the table by fold that are metrics; the others are in ``by_fold.csv``."""
DECISIVE = (
    "name", "data", "target", "split", "network", "training", "tuning", "seeds", "statistics",
)  # fmt: skip
"""Sections of the configuration that are parameters: those that decide the ranking."""


def settings(config: Mapping[str, Any]) -> dict[str, str]:
    """The settings that decide a ranking and are set; ``config.yaml`` holds all of them.

    Settings of what is not used are left out: a synthetic source, tuning, chunks, an ensemble.
    """
    found = flat({key: config[key] for key in DECISIVE if key in config})
    drawn = config.get("data", {}).get("source") in DRAWN
    idle = [] if drawn else ["data.synthetic."]
    idle += ["tuning."] if found.get("tuning.folds") == "0" else []
    idle += ["network.denormalize"] if found.get("network.denormalize") == "True" else []
    idle += ["split.plan"] if found.get("split.plan") == "walk_forward" else []
    idle += ["training.chunk"] if found.get("training.samples") == "windows" else []
    idle += ["statistics.ensemble"] if len(config.get("seeds", ())) == 1 else []
    return {
        key: value
        for key, value in found.items()
        if value not in ("None", "") and not key.startswith(tuple(idle))
    }


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
    """The settings, and a description of the variant."""
    variant = results.variants[name]
    fields = ("title", "formula", "source", "causal", "coupling", "training_coupling", "control")
    about = {f"variant.{field}": str(getattr(variant, field)) for field in fields}
    target = variant.target or results.config.get("target", {}).get("kind", "")
    trained_on = {"variant.target": str(target)} if target else {}
    own = about | trained_on | tuned(results, name)
    return {"variant": name} | own | settings(results.config)


def tuned(results: Results, name: str) -> dict[str, str]:
    """The settings that were chosen for a variant; empty without tuning."""
    table = results.tuning
    if table.empty:
        return {}
    row = table[(table["variant"] == name) & table["chosen"]].iloc[0]
    return {f"tuned.{key}": f"{row[key]:g}" for key in table.columns[1:-2]}


def model_tags(results: Results, name: str) -> dict[str, str]:
    """Tags of a variant's model: those of its run, without the description."""
    return {key: value for key, value in variant_tags(results, name).items() if key != NOTE}


def overall_values(results: Results, name: str) -> Iterator[Value]:
    """The numbers by which variants and their models are ranked: over all folds, out of sample."""
    entry = results.ranking.loc[name]
    for column, key in OVERALL.items():
        value: Any = entry.get(column)
        if not pd.isna(value):
            yield key, float(value), 0
    yield from _decomposed(results, name)
    yield from _portfolio(results, name)


def _decomposed(results: Results, name: str) -> Iterator[Value]:
    """The neutral rank IC of a variant; its interval and exposures are in the summary's tables."""
    found = results.decomposition
    if found is not None and "neutral" in found.table:
        yield "oos/rank_ic_neutral", found.table.loc[[name], "neutral"].to_numpy(float)[0], 0


def _portfolio(results: Results, name: str) -> Iterator[Value]:
    """The long-short portfolio of a variant before costs, and its Sharpe ratio after the lowest."""
    found = results.portfolios
    if found is None:
        return
    own = long_short(found)
    for column, key in PORTFOLIO.items():
        yield key, own.loc[[name], column].to_numpy(float)[0], 0
    costs = found.costs[(found.costs["row"] == name) & (found.costs["book"] == LONG_SHORT)]
    paid = costs[costs["cost"] > 0].nsmallest(1, "cost")
    for cost, left in zip(paid["cost"], paid["sharpe"], strict=True):
        yield f"oos/sharpe_at_{cost:g}_bp", float(left), 0


def variant_values(results: Results, name: str) -> Iterator[Value]:
    """The other numbers of a variant: by fold, by epoch, and whether they can be trusted.

    All further numbers are in the tables of its run.
    """

    def own(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["variant"] == name]

    by_fold = own(results.comparison.by_fold)
    for column in BY_FOLD:
        for fold, value in zip(by_fold["fold"], by_fold[column], strict=True):
            yield f"oos_by_fold/{column}", float(value), int(fold)
    yield from _by_epoch(own(results.curves))
    counted = [f for f in results.findings.get(name, ()) if f.counts]
    if counted:
        yield "trust/leaks", float(sum(f.verdict is Verdict.LEAK for f in counted)), 0
    newest = results.attribution.newest
    if len(checks := own(newest.checks)):
        yield "trust/failed_checks", float(len(failed_checks(checks))), 0
    if len(drift := own(newest.drift)):
        yield "trust/drift_alerts", float(sum(map(is_true, drift["alert"]))), 0


def _by_epoch(curves: pd.DataFrame) -> Iterator[Value]:
    """Mean loss over the folds and seeds still in training; the step is the epoch."""
    means = curves.groupby("epoch")[["train_loss", "validation_loss"]].mean()
    for epoch, losses in means.iterrows():
        yield "train/loss", losses["train_loss"], int(str(epoch))
        yield "validation/loss", losses["validation_loss"], int(str(epoch))


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
    """The settings, what is compared, and the shape of the panel."""
    compared = {
        key: results.config[key] for key in ("variants", "references") if key in results.config
    }
    return settings(results.config) | flat(compared) | flat(panel_shape(results), prefix="panel.")


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
    for part in ("trials", "earlier", "overfitting", "deflated"):
        yield f"selection/{part}", float(getattr(luck, part)), 0
    yield "summary/leaking", float(len(leaks - set(results.controls))), 0
    yield from seconds(results.seconds)
